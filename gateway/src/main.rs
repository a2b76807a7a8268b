//! `cordboard`

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use cordboard::cli::{Cli, Command};
use cordboard::config::Config;
use cordboard::{phone, serve};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("CORDBOARD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr)
        .init();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => run(serve::run(options)),
        Command::Check(options) => match Config::load(Some(&options.config), None, None) {
            Ok(_) => {
                println!("{}: good", options.config.display());
                ExitCode::SUCCESS
            }
            Err(errors) => {
                for error in errors {
                    eprintln!("{error}");
                }
                ExitCode::FAILURE
            }
        },
        Command::Phone(options) => run(phone::run(*options)),
    }
}

/// Runs to its end; what went wrong is one line on standard error.
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
    match runtime.block_on(work) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cordboard: {error}");
            ExitCode::FAILURE
        }
    }
}
