//! The load generator of `tests/bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match cordboard_tests::load::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
