//! Builds the pages in `web-demo/` with npm, for `src/http/page.rs` to embed.
//!
//! The result goes to `$OUT_DIR/page`; of the source tree only `web-demo/node_modules` is written. Without Node (or
//! where npm fails) the gateway still builds: a page that says what to do takes the place of the real ones.
//! `CORDBOARD_PAGE=skip` leaves the page out on purpose, `CORDBOARD_PAGE=required` makes its absence an error.
//! The prompts of queues are rendered as well: see `build/prompts.rs`.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "build/prompts.rs"]
mod prompts;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The oldest Node that the build script of the page runs on.
const NODE_MAJOR: u32 = 18;

const SOURCES: [&str; 8] = [
    "build.mjs",
    "index.html",
    "agent.html",
    "wallboard.html",
    "missing.html",
    "package.json",
    "package-lock.json",
    "src",
];

fn main() -> Result<()> {
    prompts::build(&PathBuf::from(std::env::var("OUT_DIR")?))?;
    // Cargo runs build scripts in the package's own folder, and reads paths to watch from there.
    let web = Path::new("../web-demo");
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("page");
    println!("cargo:rerun-if-env-changed=CORDBOARD_PAGE");
    println!("cargo:rerun-if-changed=src/http/no_page.html");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", web.join(source).display());
    }

    let wish = std::env::var("CORDBOARD_PAGE").unwrap_or_default();
    let built = if wish == "skip" {
        Err("it was left out by CORDBOARD_PAGE=skip".into())
    } else {
        build_page(web, &out)
    };
    if let Err(reason) = built {
        let reason = reason.to_string();
        if wish == "required" {
            return Err(format!("the page of web-demo/ was not built: {reason}").into());
        }
        if wish != "skip" {
            for line in reason.lines().filter(|line| !line.trim().is_empty()) {
                println!("cargo:warning=web-demo: {line}");
            }
            println!("cargo:warning=web-demo: the gateway is built without its page");
            // A path that does not exist makes cargo ask again at the next build, when Node may be there.
            println!(
                "cargo:rerun-if-changed={}",
                web.join("node-was-missing").display()
            );
        }
        write_substitute(&out, &reason)?;
    }
    Ok(())
}

fn build_page(web: &Path, out: &Path) -> Result<()> {
    check_node()?;
    // Two builds of one tree (debug and release, say) must not install into node_modules at once.
    let lock = File::open(web.join("package.json"))?;
    lock.lock()?;
    if !installed(web) {
        npm(
            web,
            &[
                "ci",
                "--omit=dev",
                "--no-audit",
                "--no-fund",
                "--prefer-offline",
                "--fetch-retries=1",
            ],
        )?;
    }
    npm(web, &["run", "build", "--", "--out", &out.to_string_lossy()])?;
    drop(lock);
    Ok(())
}

fn check_node() -> Result<()> {
    let output = Command::new("node")
        .arg("--version")
        .output()
        .map_err(|_| format!("Node is not installed; Node {NODE_MAJOR} or newer with npm builds the page"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|text| text.parse::<u32>().ok());
    match major {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        _ => Err(format!("Node {version} is too old; the page needs Node {NODE_MAJOR} or newer").into()),
    }
}

/// npm writes the list of what it installed last of all, so that file is newer than the lock file it followed.
fn installed(web: &Path) -> bool {
    let changed = |path: PathBuf| fs::metadata(path).and_then(|meta| meta.modified());
    match (
        changed(web.join("node_modules/.package-lock.json")),
        changed(web.join("package-lock.json")),
    ) {
        (Ok(done), Ok(wanted)) => done >= wanted,
        _ => false,
    }
}

fn npm(web: &Path, arguments: &[&str]) -> Result<()> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(web)
        .output()
        .map_err(|error| format!("npm could not be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "`npm {}` failed ({})\n{}",
        arguments[0],
        output.status,
        essence(&said)
    )
    .into())
}

/// The lines that say what went wrong, out of npm's many.
fn essence(said: &str) -> String {
    let lines = || said.lines().filter(|line| !line.trim().is_empty());
    let errors: Vec<&str> = lines().filter(|line| line.contains("rror")).take(6).collect();
    if errors.is_empty() {
        lines().take(6).collect::<Vec<_>>().join("\n")
    } else {
        errors.join("\n")
    }
}

fn write_substitute(out: &Path, reason: &str) -> Result<()> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::create_dir_all(out)?;
    let escaped = reason.replace('&', "&amp;").replace('<', "&lt;");
    let html = include_str!("src/http/no_page.html").replace("{reason}", &escaped);
    for page in ["index.html", "agent.html", "wallboard.html"] {
        fs::write(out.join(page), &html)?;
    }
    Ok(())
}
