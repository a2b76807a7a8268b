//! Published test material, and where tests find it.

/// The file of that name under `CORDBOARD_CORPORA`; says so and gives `None` when the corpora are not there.
pub(crate) fn read(name: &str) -> Option<Vec<u8>> {
    let Some(root) = std::env::var_os("CORDBOARD_CORPORA") else {
        println!("left out: {name} (CORDBOARD_CORPORA is not set)");
        return None;
    };
    let path = std::path::Path::new(&root).join(name);
    match std::fs::read(&path) {
        Ok(data) => Some(data),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// The folder of that name under `CORDBOARD_CORPORA`, likewise.
pub(crate) fn folder(name: &str) -> Option<std::path::PathBuf> {
    let Some(root) = std::env::var_os("CORDBOARD_CORPORA") else {
        println!("left out: {name} (CORDBOARD_CORPORA is not set)");
        return None;
    };
    let path = std::path::Path::new(&root).join(name);
    assert!(path.is_dir(), "{} is no folder", path.display());
    Some(path)
}
