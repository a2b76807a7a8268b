//! A server that answers every call, and records both sides of it into a WAV file of its own: the caller left, what it hears right.
//! `cargo run -p sip-stack --example wav_recorder [PORT [FOLDER]]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sip_stack::audio::Channels;
use sip_stack::sessions::{
    Application, CallDecision, CallHandler, CallSession, IncomingCall, SessionControl, SessionCoordinator,
    SessionId, SessionManagerBuilder,
};
use tokio::sync::mpsc;

struct Answering(mpsc::UnboundedSender<CallSession>);

impl CallHandler for Answering {
    fn on_incoming_call(&self, _: SessionId, _: &IncomingCall) -> CallDecision {
        CallDecision::Accept(Some(Application::Tone {
            hertz: 425,
            dbm0: -15,
        }))
    }

    fn on_call_established(&self, call: &CallSession) {
        let _ = self.0.send(call.clone());
    }
}

/// Records a call from its answer to its end.
async fn record(coordinator: Arc<SessionCoordinator>, call: CallSession, path: PathBuf) {
    let recording = coordinator.record_wav(call.id, &path, Channels::Both).await;
    let outcome = match recording {
        Ok(recording) => recording.ended().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(heard) => println!(
            "{} has {:.1} s of {}",
            path.display(),
            heard.loud_seconds(),
            call.from
        ),
        Err(error) => eprintln!("{}: {error}", path.display()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(5062), |port| port.parse())?;
    let folder = std::env::args().nth(2).unwrap_or_else(|| ".".into());
    let (answered, mut calls) = mpsc::unbounded_channel();
    let builder = SessionManagerBuilder::new().with_sip_port(port);
    let coordinator = builder
        .with_handler(Arc::new(Answering(answered)))
        .build()
        .await?;
    SessionControl::start(&coordinator).await?;
    println!(
        "call sip:recorder@{}",
        coordinator.local_address().ok_or("no listener")?
    );
    while let Some(call) = calls.recv().await {
        let path = Path::new(&folder).join(format!("call-{}.wav", call.id.0));
        tokio::spawn(record(Arc::clone(&coordinator), call, path));
    }
    Ok(())
}
