//! Third-party messages and recordings, found through `CORDBOARD_CORPORA`. They are not part of this
//! repository; a test that needs them reports on standard error what it left out without them.

use std::path::PathBuf;
use std::process::Command;

/// The folder of this corpus, or `None` after a word on standard error about `left_out`.
#[must_use]
pub fn folder(name: &str, left_out: &str) -> Option<PathBuf> {
    let found = std::env::var_os("CORDBOARD_CORPORA")
        .map(|root| PathBuf::from(root).join(name))
        .filter(|p| p.is_dir());
    if found.is_none() {
        eprintln!("LEFT OUT: {left_out} (CORDBOARD_CORPORA names no folder with {name})");
    }
    found
}

/// The lines of a table, without its heading.
#[must_use]
pub fn table(path: &std::path::Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .skip(1)
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

/// The files of a `.tar.xz`: name and content. Unpacked with the `xz` of the system.
#[must_use]
pub fn unpack(path: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let output = Command::new("xz")
        .arg("-dc")
        .arg(path)
        .output()
        .expect("xz is installed");
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let mut rest = &output.stdout[..];
    let mut files = Vec::new();
    // POSIX ustar: a block of 512 octets for the header, then the content in whole blocks
    while rest.len() > 512 && rest[0] != 0 {
        let field = |from: usize, to: usize| {
            let text = &rest[from..to];
            let end = text
                .iter()
                .position(|b| matches!(b, 0 | b' '))
                .unwrap_or(text.len());
            String::from_utf8_lossy(&text[..end]).into_owned()
        };
        let size = usize::from_str_radix(&field(124, 136), 8).expect("a size in octal digits");
        if matches!(rest[156], b'0' | 0) {
            files.push((field(0, 100), rest[512..512 + size].to_vec()));
        }
        rest = &rest[512 + size.div_ceil(512) * 512..];
    }
    files
}
