//! `cordboard phone`: a phone for the command line. It registers, makes or takes a call, plays and records, and reports
//! whether sound went both ways: a SIP phone over UDP, TCP or TLS, or with `--webrtc` what a page in a browser is.

mod error;
mod load;
mod options;
mod report;
mod sip;
mod webrtc;
mod websocket_url;

use std::process::ExitCode;

use crate::cli::PhoneArgs;

pub use error::PhoneError;
pub use options::{Account, Network, PhoneOptions, PlayedSound, SipNetwork, Trust, WebRtcNetwork};
pub use report::{CandidatePair, SetUp, Summary};
pub use websocket_url::WebSocketUrl;

/// Runs the command: steps go to standard error, the report to standard output. Success means that sound went both ways, in
/// every call.
///
/// # Errors
/// An option is wrong, or there was no call.
pub async fn run(args: PhoneArgs) -> Result<ExitCode, PhoneError> {
    let (json, calls) = (args.json, load::Load::of(&args));
    let options = options::read(args)?;
    if let Some(calls) = calls {
        let report = load::run(&options, calls, |step| eprintln!("{step}")).await;
        if json {
            println!("{}", report.json());
        } else {
            println!("{report}");
        }
        return Ok(code(report.is_success()));
    }
    let result = make_call(options, |step| eprintln!("{step}")).await;
    match &result {
        Ok(summary) if json => println!("{}", summary.json()),
        Ok(summary) => println!("{summary}"),
        Err(error) if json => println!("{}", error.json()),
        Err(_) => {}
    }
    result.map(|summary| code(summary.both_ways()))
}

/// Does what `options` say; `tell` hears each step as a line. Comes back when the call is over.
///
/// # Errors
/// There was no call.
pub async fn make_call(options: PhoneOptions, mut print: impl FnMut(&str)) -> Result<Summary, PhoneError> {
    match &options.network {
        Network::Sip(network) => sip::make_call(&options, network, &mut print).await,
        Network::WebRtc(network) => webrtc::make_call(&options, network, &mut print).await,
    }
}

fn code(success: bool) -> ExitCode {
    if success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
