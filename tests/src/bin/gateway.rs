//! gateway FILE: the gateway, for tests that kill it.

use std::process::ExitCode;

use cordboard::cli::Serve;
use cordboard::serve::{self, ServeError};

#[tokio::main]
async fn main() -> Result<ExitCode, ServeError> {
    let options = Serve {
        config: std::env::args_os().nth(1).map(Into::into),
        ..Serve::default()
    };
    serve::run(options).await
}
