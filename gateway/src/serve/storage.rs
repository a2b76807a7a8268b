//! The database of a gateway: where it is, and who else has it.

use std::path::{Path, PathBuf};

use super::error::{ServeError, failed};
use crate::config::{Config, Storage};
use crate::store::Store;
use crate::store::folder::{self, Claim};

/// A database that is open, and that no other gateway may open until this is gone.
pub(super) struct Database {
    pub(super) store: Store,
    _claim: Claim,
}

/// Opens the database of a configuration; `None`: memory alone.
pub(super) async fn open(config: &Config, state: Option<&Path>) -> Result<Option<Database>, ServeError> {
    let Some(url) = url(config, state)? else {
        return Ok(None);
    };
    let claim = folder::claim(&url).map_err(|error| failed("store", error))?;
    let away = |error| match server_of(&url) {
        Some(server) => failed(format_args!("store at {server}"), error),
        None => failed("store", error),
    };
    let store = Store::open(&url, config.durability).await.map_err(away)?;
    Ok(Some(Database { store, _claim: claim }))
}

/// The state folder: for the database, unless another store is named, and for the control socket.
pub(super) fn state_folder(config: &Config, option: Option<PathBuf>) -> Option<PathBuf> {
    let named = option.or_else(|| config.state.clone());
    match config.store {
        Storage::Folder => named.or_else(|| folder::usual(|name| std::env::var_os(name))),
        Storage::Memory | Storage::Url(_) => named,
    }
}

/// URL of the database; `None`: memory alone.
fn url(config: &Config, state: Option<&Path>) -> Result<Option<String>, ServeError> {
    match (&config.store, state) {
        (Storage::Memory, _) => Ok(None),
        (Storage::Url(url), _) => Ok(Some(url.clone())),
        (Storage::Folder, Some(path)) => folder::database(path)
            .map(Some)
            .map_err(|error| failed("store", error)),
        (Storage::Folder, None) => {
            tracing::warn!("nothing will outlive this process: HOME is not set, and --state is not given");
            Ok(None)
        }
    }
}

/// The database server of a URL, without its credentials.
fn server_of(url: &str) -> Option<String> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
    Some(if server.is_empty() { "localhost" } else { server }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_server_is_named_without_its_password() {
        for (url, server) in [
            ("postgres://u:p@db.example:5433/cb", Some("db.example:5433")),
            (
                "postgresql://u:p%40x@[2001:db8::1]/cb?sslmode=require",
                Some("[2001:db8::1]"),
            ),
            ("postgres:///cb", Some("localhost")),
            ("sqlite:/var/lib/cb.db", None),
        ] {
            assert_eq!(server_of(url).as_deref(), server, "{url}");
        }
    }
}
