//! `cordboard init`: asks what a trunk of a carrier needs, and writes a configuration that works.

mod answers;
mod dial;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use self::answers::Answers;
use crate::cli::Init;
use crate::config::{Config, Overrides, Profile};
use crate::serve::randomness;

/// Reason why nothing was written.
pub type InitError = String;

/// The command: asks on the terminal, and writes the file, or adds to it.
///
/// # Errors
/// Something that is needed was not answered, the result would not work, or the file cannot be written.
pub fn run(options: Init) -> Result<ExitCode, InitError> {
    let profile = Profile::find(&options.trunk)?;
    let name = options.name.as_deref().unwrap_or(profile.name);
    let before = match std::fs::read_to_string(&options.file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("{} cannot be read: {error}", options.file.display())),
    };
    let known = before
        .as_deref()
        .map(|text| read(&options.file, text))
        .transpose()?;
    if known
        .as_ref()
        .is_some_and(|config| config.trunks.contains_key(name))
    {
        return Err(format!(
            "{} has a trunk `{name}` already; give this one another name with --name",
            options.file.display()
        ));
    }
    println!("{}", profile.title);
    let mut answers = Answers::new(options.set);
    let network = match &before {
        Some(_) => String::new(),
        None => network(&mut answers)?,
    };
    let (user, added) = user(known.as_ref(), &mut answers)?;
    let trunk = trunk(profile, name, &mut answers)?;
    let there = known.as_ref().map_or(&[][..], |config| &config.rules);
    let rules = dial::rules(profile, (name, &user), there, &mut answers)?;
    answers.finish()?;

    let more = format!("{network}{added}{trunk}{rules}");
    let text = match &before {
        Some(before) => format!("{}\n\n{more}", before.trim_end()),
        None => more,
    };
    let config = read(&options.file, &text)?;
    write(&options.file, &text)?;
    report(&options.file, profile, name, &config);
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path, text: &str) -> Result<Config, InitError> {
    Config::parse(file, text, &Overrides::default()).map_err(|errors| {
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })
}

/// The first lines of a new file: where the carrier reaches the gateway. The pages stay on this host.
fn network(answers: &mut Answers) -> Result<String, InitError> {
    let what = "address of this host that the carrier reaches, or 0.0.0.0 for every one";
    let listen = answers.ask("listen", what, Some("0.0.0.0"))?;
    let what = "public address of this host, if it is behind NAT (a router, a container, a cloud)";
    let public = answers.ask("advertise", what, Some(""))?;
    let mut out = format!("listen = {listen:?}\n");
    if !public.is_empty() {
        let _ = writeln!(out, "advertise = {public:?}");
    }
    out.push_str(
        "\n# Pages: over the network they need HTTPS, because browsers allow the microphone nowhere else.\n",
    );
    out.push_str("[http]\nlisten = \"127.0.0.1:8080\"\n\n");
    Ok(out)
}

/// The user who gets the calls, and the lines that add that user to the file.
fn user(known: Option<&Config>, answers: &mut Answers) -> Result<(String, String), InitError> {
    let first = known.and_then(|config| config.users.keys().next().filter(|_| !config.demo));
    let default = first.map_or("anna", String::as_str);
    let name = answers.ask("user", "user who gets the calls", Some(default))?;
    if known.is_some_and(|config| !config.demo && config.users.contains_key(&name)) {
        return Ok((name, String::new()));
    }
    let mut rng = randomness().map_err(|error| error.to_string())?;
    let password = rng.token(20);
    let lines =
        format!("[[users]]\nname = {name:?}\npassword = {password:?}\nroles = [\"admin\", \"agent\"]\n\n");
    Ok((name, lines))
}

/// The lines of the trunk.
fn trunk(profile: &Profile, name: &str, answers: &mut Answers) -> Result<String, InitError> {
    let mut out = format!(
        "# {}\n[[trunks]]\nname = {name:?}\nprofile = {:?}\n",
        profile.title, profile.name
    );
    for (key, what) in &profile.needs {
        let value = answers.ask(key, what, None)?;
        let _ = writeln!(out, "{key} = {}", literal(key, &value));
    }
    for (key, what) in &profile.asks {
        let value = answers.ask(key, what, Some(""))?;
        if !value.is_empty() {
            let _ = writeln!(out, "{key} = {}", literal(key, &value));
        }
    }
    out.push('\n');
    Ok(out)
}

/// A value as TOML: as it was given, if it is a list, a table, a truth or a number where numbers are meant; otherwise as text.
fn literal(key: &str, value: &str) -> String {
    const NUMBERS: [&str; 8] = [
        "calls_per_second",
        "channels",
        "max_calls",
        "max_rate",
        "options",
        "session_expires",
        "timeout",
        "weight",
    ];
    let is_toml = value.starts_with(['[', '{', '"']) || matches!(value, "true" | "false");
    if is_toml || NUMBERS.contains(&key) {
        return value.to_owned();
    }
    format!("{value:?}")
}

/// Writes the file, whole or not at all. A new one may be read by its owner alone, since it holds passwords; one that was there keeps
/// its permissions, and stays where a link leads to.
fn write(file: &Path, text: &str) -> Result<(), InitError> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let cannot = |error: std::io::Error| format!("{} cannot be written: {error}", file.display());
    let place = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mode = std::fs::metadata(&place).map_or(0o600, |known| known.permissions().mode() & 0o777);
    let new = place.with_extension("toml.new");
    // What an earlier attempt left behind may be readable for others.
    let _ = std::fs::remove_file(&new);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut opened = options.open(&new).map_err(cannot)?;
    opened.write_all(text.as_bytes()).map_err(cannot)?;
    opened.sync_all().map_err(cannot)?;
    std::fs::rename(&new, &place).map_err(cannot)
}

fn report(file: &Path, profile: &Profile, name: &str, config: &Config) {
    for warning in &config.warnings {
        eprintln!("{warning}");
    }
    println!("\n{} is written.", file.display());
    if !profile.setup.is_empty() {
        println!("\nOn the carrier's side:");
    }
    for (n, step) in profile.setup.iter().enumerate() {
        println!("  {}. {step}", n + 1);
    }
    let file = file.display();
    println!(
        "\nTry it:    cordboard trunk test {name} --config {file}\nStart it:  cordboard --config {file}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(folder: &Path, trunk: &str, set: &[&str]) -> Init {
        Init {
            trunk: trunk.into(),
            file: folder.join("cordboard.toml"),
            name: None,
            set: set.iter().map(|pair| (*pair).to_owned()).collect(),
        }
    }

    #[test]
    fn a_file_is_written_and_added_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = options(
            folder.path(),
            "generic",
            &["user=anna", "address=192.0.2.5", "country=49"],
        );
        let file = first.file.clone();
        run(first).expect("written");
        let text = std::fs::read_to_string(&file).expect("a file");
        let config = read(&file, &text).expect("a configuration");
        assert_eq!(config.warnings.len(), 0, "{:?}", config.warnings);
        assert_eq!(config.trunks["generic"].host, "192.0.2.5");
        assert!(config.sip.udp.iter().all(|addr| addr.ip().is_unspecified()));
        assert!(config.http.listen.ip().is_loopback());
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = options(folder.path(), "generic", &["user=anna", "address=192.0.2.6"]);
        assert!(
            run(again.clone())
                .expect_err("a second one")
                .contains("another name with --name")
        );
        let second = Init {
            name: Some("spare".into()),
            ..again
        };
        run(second).expect("added");
        let text = std::fs::read_to_string(&file).expect("a file");
        let config = read(&file, &text).expect("a configuration");
        assert_eq!((config.trunks.len(), config.users.len()), (2, 1));
    }

    #[test]
    fn what_would_not_work_is_not_written() {
        let folder = tempfile::tempdir().expect("a folder");
        for (trunk, set, told) in [
            ("acme", vec![], "there is no profile `acme`"),
            ("generic", vec!["user=anna"], "address is needed: SIP host"),
            (
                "generic",
                vec!["user=anna", "address=a b"],
                "trunks.address: `a b` is not a host",
            ),
            (
                "generic",
                vec!["user=anna", "address=192.0.2.5", "colour=red"],
                "--set colour: nobody asks for it",
            ),
        ] {
            let options = options(folder.path(), trunk, &set);
            let file = options.file.clone();
            let error = run(options).expect_err(told);
            assert!(error.contains(told), "{error}");
            assert!(!file.exists());
        }
    }

    #[test]
    fn values_are_written_as_what_they_are() {
        for (key, value, written) in [
            ("caller_id", "+49301234", "\"+49301234\""),
            ("channels", "4", "4"),
            ("register", "true", "true"),
            ("sources", "[\"192.0.2.1\"]", "[\"192.0.2.1\"]"),
            ("password", "a \"b\" \\c", "\"a \\\"b\\\" \\\\c\""),
        ] {
            assert_eq!(literal(key, value), written);
        }
    }
}
