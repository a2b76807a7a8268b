//! The table of RFCs: the files and tests that it names are there.

use std::path::Path;

/// Text of each pair of backticks in a line.
fn quoted(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_file_and_test_of_the_table_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let table = std::fs::read_to_string(root.join("docs/RFCS.md")).expect("docs/RFCS.md");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(quoted)
        .collect();
    assert!(rows.len() > 40, "{} rows", rows.len());
    for row in rows {
        let [file, tests, test] = row[..] else {
            panic!("a row has a file, a file of tests and a test: {row:?}");
        };
        let read = |file: &str| std::fs::read_to_string(root.join("sip-stack").join(file));
        assert!(read(file).is_ok(), "{file} is not there");
        let tests = read(tests).unwrap_or_else(|_| panic!("{tests} is not there"));
        assert!(tests.contains(&format!("fn {test}(")), "{test} is not there");
    }
}
