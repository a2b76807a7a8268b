//! The binary itself, as a shell sees it. Being here, this also has the suite build it for the end-to-end cases.

use std::process::Command;

fn cordboard(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cordboard"))
        .args(args)
        .output()
        .expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn says_its_version() {
    let (code, out, _) = cordboard(&["--version"]);
    assert_eq!(
        (code, out.trim()),
        (Some(0), concat!("cordboard ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn a_configuration_that_is_not_there_is_one_line_and_a_failure() {
    let (code, _, err) = cordboard(&["serve", "--config", "/nowhere/cordboard.toml"]);
    assert_eq!(code, Some(1));
    assert!(
        err.lines().count() == 1 && err.contains("/nowhere/cordboard.toml: cannot be read"),
        "{err}"
    );
}
