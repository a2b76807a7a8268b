//! `cordboard`

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use cordboard::cli::{Cli, Command, TrunkCommand};
use cordboard::{check, control, init, logging, phone, profiles, serve, tidy, trunk_test};
use tracing::level_filters::LevelFilter;

/// Time for tasks to end before the last message is printed.
const FAREWELL: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    tidy::keep_together();
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve(cli.serve));
    // The phone prints its own progress, and `check` its warnings.
    let least = match &command {
        Command::Serve(_) => LevelFilter::INFO,
        _ => LevelFilter::ERROR,
    };
    logging::init(least);
    match command {
        Command::Serve(options) => run(serve::run(options)),
        Command::Check(options) => run(check::run(options)),
        Command::Reload(options) => run(control::run(control::Command::Reload, options)),
        Command::Restart(options) => run(control::run(control::Command::Restart, options)),
        Command::Init(options) => run(async { init::run(options) }),
        Command::Trunk { command } => match command {
            TrunkCommand::Test(options) => run(trunk_test::run(options)),
            TrunkCommand::Profiles { name } => run(async { profiles::show(name.as_deref()) }),
        },
        Command::Phone(options) => run(phone::run(*options)),
    }
}

/// Runs to the end; an error is the last line on standard error.
fn run<E: std::fmt::Display>(work: impl Future<Output = Result<ExitCode, E>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cordboard: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(FAREWELL);
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cordboard: {error}");
            ExitCode::FAILURE
        }
    }
}
