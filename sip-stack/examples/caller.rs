//! The other of two peers without a server: calls a SIP URI, sends digits, and hangs up after three seconds. What it heard is in a WAV
//! file, if one is named. `cargo run -p sip-stack --example caller [sip:callee@127.0.0.1:5062 [HEARD.wav]]`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sip_stack::StatusCode;
use sip_stack::audio::Channels;
use sip_stack::sessions::{
    Application, CallDecision, CallHandler, CallRecord, CallSession, IncomingCall, SessionControl, SessionId,
    SessionManagerBuilder,
};
use tokio::sync::mpsc;

struct Caller(mpsc::UnboundedSender<bool>);

impl CallHandler for Caller {
    fn on_incoming_call(&self, _: SessionId, _: &IncomingCall) -> CallDecision {
        CallDecision::Reject(StatusCode::BUSY_HERE)
    }

    fn on_call_established(&self, call: &CallSession) {
        println!("{} answered", call.to);
        let _ = self.0.send(true);
    }

    fn on_call_ended(&self, record: &CallRecord) {
        println!("ended: {:?} {}", record.cause, record.code);
        let _ = self.0.send(false);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (changed, mut changes) = mpsc::unbounded_channel();
    let (to, heard) = (std::env::args().nth(1), std::env::args().nth(2));
    let to = to.as_deref().unwrap_or("sip:callee@127.0.0.1:5062");
    let builder = SessionManagerBuilder::new().with_handler(Arc::new(Caller(changed)));
    let coordinator = builder.build().await?;
    SessionControl::start(&coordinator).await?;
    let call = coordinator
        .create_outgoing_call("sip:caller@127.0.0.1", to, Some(Application::Music))
        .await?;
    let mut recording = None;
    while changes.recv().await == Some(true) {
        if let Some(path) = &heard {
            let path = Path::new(path);
            recording = Some(coordinator.record_wav(call.id, path, Channels::Party).await?);
        }
        coordinator.send_dtmf(call.id, "42#").await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        coordinator.terminate_session(call.id).await?;
    }
    if let Some(recording) = recording {
        println!("heard {:.1} s of sound", recording.finish().await?.loud_seconds());
    }
    SessionControl::stop(&coordinator).await;
    Ok(())
}
