//! The default place of a gateway's database, and the lock that keeps two gateways off one file.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;

use super::StoreError;

/// Name of the database in its folder.
const DATABASE: &str = "cordboard.db";

/// `$XDG_STATE_HOME/cordboard`, else `~/.local/state/cordboard`; `None` where neither is known. `env` reads the environment.
#[must_use]
pub fn usual(env: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    // A relative path is ignored (XDG Base Directory Specification 0.8).
    let absolute = |name| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("cordboard"))
}

/// Makes the folder, for its owner alone, where it is missing; the URL of the database in it.
///
/// # Errors
/// The folder cannot be created, or its name is not Unicode.
pub fn database(folder: &Path) -> Result<String, StoreError> {
    let refused = |why: String| StoreError::Unavailable(format!("{}: {why}", folder.display()));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| refused(error.to_string()))?;
    let path = folder.join(DATABASE);
    let path = path
        .to_str()
        .ok_or_else(|| refused("its name is no Unicode".into()))?;
    // In a URL these would begin its parameters, or an escape.
    let escaped: String = path.chars().fold(String::new(), |mut all, one| {
        match one {
            '%' => all.push_str("%25"),
            '?' => all.push_str("%3f"),
            '#' => all.push_str("%23"),
            _ => all.push(one),
        }
        all
    });
    Ok(format!("sqlite:{escaped}"))
}

/// A database that no other gateway may open while this is there.
#[derive(Debug)]
pub struct Claim {
    _lock: Option<File>,
}

/// Claims the database behind a URL. A file of SQLite is made for its owner alone, and locked by a file beside it until
/// the process ends, however it ends; servers need none of that.
///
/// # Errors
/// [`StoreError::InUse`] when another gateway has it; [`StoreError::Unavailable`] when it cannot be made or locked.
pub fn claim(url: &str) -> Result<Claim, StoreError> {
    if !url.starts_with("sqlite:") || url.contains(":memory:") {
        return Ok(Claim { _lock: None });
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|error| StoreError::Url(error.to_string()))?;
    let path = options.get_filename();
    let refused =
        |path: &Path, error: &io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let open = |path: &Path| {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| refused(path, &error))
    };
    // There are secrets in it.
    open(path)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let lock = open(&beside)?;
    match lock.try_lock() {
        Ok(()) => Ok(Claim { _lock: Some(lock) }),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(refused(&beside, &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn the_usual_folder_follows_the_environment() {
        let of = |state: Option<&str>, home: Option<&str>| {
            usual(|name| match name {
                "XDG_STATE_HOME" => state.map(Into::into),
                "HOME" => home.map(Into::into),
                _ => None,
            })
        };
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(of(Some("/s"), Some("/h")), path("/s/cordboard"));
        assert_eq!(of(Some("s"), Some("/h")), path("/h/.local/state/cordboard"));
        assert_eq!(of(Some(""), None), None);
    }

    #[tokio::test]
    async fn folder_and_database_are_for_their_owner_alone() {
        let above = folder();
        let state = above.path().join("a?b%c#d/state");
        let url = database(&state).expect("a folder");
        let claim = claim(&url).expect("free");
        let store = super::super::Store::open(&url, super::super::Durability::Full).await;
        let store = store.expect("a store");
        let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        for name in ["cordboard.db", "cordboard.db-wal", "cordboard.db.lock"] {
            assert_eq!(mode(&state.join(name)), 0o600, "{name}");
        }
        store.close().await;
        drop(claim);
    }

    #[test]
    fn a_database_has_one_gateway() {
        let above = folder();
        let url = database(above.path()).expect("a folder");
        let first = claim(&url).expect("free");
        assert!(matches!(claim(&url), Err(StoreError::InUse(path)) if path.ends_with("cordboard.db")));
        drop(first);
        claim(&url).expect("free again");
    }

    #[test]
    fn what_cannot_be_made_is_told_with_its_name() {
        let error = database(Path::new("/proc/nowhere")).expect_err("no folder can be made there");
        assert!(error.to_string().contains("/proc/nowhere"), "{error}");
    }
}
