//! Logging: `CORDBOARD_LOG`, a filter of `tracing` over defaults that suit a gateway.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// The environment variable with the filter.
const VARIABLE: &str = "CORDBOARD_LOG";

/// Logs to standard error. `least` is the level unless the environment names one.
pub fn init(least: LevelFilter) {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let (filter, wrong) = match EnvFilter::try_new(directives(&wanted, least)) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(directives("", least)), Some(error)),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr)
        .init();
    if let Some(error) = wrong {
        tracing::warn!("{VARIABLE}={wanted} is not a valid filter and is ignored: {error}");
    }
}

/// The filter: a level for everything, `least` unless one is named, and levels of single targets. SQL
/// statements are many and say little: they are logged only if `sqlx` is named.
fn directives(wanted: &str, least: LevelFilter) -> String {
    let parts: Vec<&str> = wanted
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let level = parts
        .iter()
        .rev()
        .find_map(|part| part.parse::<LevelFilter>().ok());
    let level = level.unwrap_or(least);
    let mut all = vec![level.to_string()];
    if level > LevelFilter::WARN && !parts.iter().any(|part| part.starts_with("sqlx")) {
        all.push("sqlx=warn".to_owned());
    }
    all.extend(
        parts
            .into_iter()
            .filter(|part| part.parse::<LevelFilter>().is_err())
            .map(str::to_owned),
    );
    all.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_is_asked_for_beside_the_usual_level() {
        for (wanted, filter) in [
            ("", "info,sqlx=warn"),
            ("debug", "debug,sqlx=warn"),
            ("sip=debug", "info,sqlx=warn,sip=debug"),
            ("warn,sip=debug", "warn,sip=debug"),
            ("debug,sqlx=debug", "debug,sqlx=debug"),
            ("sqlx::query=debug", "info,sqlx::query=debug"),
            ("off", "off"),
        ] {
            assert_eq!(directives(wanted, LevelFilter::INFO), filter, "{wanted}");
            EnvFilter::try_new(filter).expect("a filter");
        }
        assert_eq!(directives("sip=debug", LevelFilter::WARN), "warn,sip=debug");
    }
}
