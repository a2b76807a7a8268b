//! `cordboard trunk test`: walks the way to a trunk step by step, and says in plain words what is wrong and what would be right.
//!
//! | step | asks |
//! |---|---|
//! | name | to which addresses the trunk's name leads (RFC 3263) |
//! | connection | for each of them, whether a connection can be opened, TLS included |
//! | options | for each of them, whether SIP is answered (RFC 3261 §11) |
//! | registration | whether the registrar takes the credentials: REGISTER without `Contact`, which changes nothing (RFC 3261 §10.2.3) |
//! | call | with `--call`: registers as the gateway would, calls the number, and counts the sound both ways |
//!
//! A step that cannot be taken without one before it is left out.

mod call;
mod finding;
mod way;
mod words;

use std::process::ExitCode;

use sip_stack::transport::Outbound;
use sip_stack::transport::tls::{ClientTls, PeersTls};

use self::finding::{Finding, Grade};
use crate::cli::TrunkTest;
use crate::config::{Config, Profile};

/// Reason why nothing was tested.
pub type TestError = String;

/// The command: prints one line for each step and each target. Exits with 1 if one of them is wrong.
///
/// # Errors
/// The file is wrong, there is no such trunk, or no socket can be opened.
pub async fn run(options: TrunkTest) -> Result<ExitCode, TestError> {
    let config =
        Config::load(Some(&options.config), &options.overrides.clone().into()).map_err(|errors| {
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        })?;
    let trunk = config.trunks.get(&options.name).ok_or_else(|| {
        let known: Vec<&str> = config.trunks.keys().map(String::as_str).collect();
        format!(
            "{}: there is no trunk `{}`; known: {}",
            options.config.display(),
            options.name,
            known.join(", ")
        )
    })?;
    let mut findings = Vec::new();
    let mut tell = |finding: Finding| {
        println!("{finding}");
        findings.push(finding.grade);
    };
    way::walk(&config, &options.name, trunk, outbound(&config)?, &mut tell).await?;
    if let Some(number) = &options.call {
        call::make(&config, (&options.name, trunk), number, &options, &mut tell).await?;
    }
    let wrong = findings.iter().filter(|grade| **grade == Grade::Wrong).count();
    match wrong {
        0 => println!("\nThe trunk `{}` works as far as was tested.", options.name),
        1 => println!("\nOne thing is wrong."),
        n => println!("\n{n} things are wrong."),
    }
    if wrong > 0 {
        print_setup(&config, &options.name);
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints the steps to take on the carrier's side, where they are known.
fn print_setup(config: &Config, name: &str) {
    let profile = config
        .trunk_profiles
        .get(name)
        .and_then(|name| Profile::find(name).ok());
    let Some(profile) = profile.filter(|profile| !profile.setup.is_empty()) else {
        return;
    };
    println!("\nOn the carrier's side ({}):", profile.title);
    for (n, step) in profile.setup.iter().enumerate() {
        println!("  {}. {step}", n + 1);
    }
}

/// Settings of connections, as the gateway has them.
fn outbound(config: &Config) -> Result<Outbound, TestError> {
    let peers = PeersTls::default();
    peers.replace(config.trunks_tls()?);
    Ok(Outbound {
        tls: ClientTls::system().ok().map(Into::into),
        peers: peers.into(),
        dscp: config.sip.dscp,
        ..Outbound::default()
    })
}
