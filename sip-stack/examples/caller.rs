//! The other of two peers without a server: calls a SIP URI, sends digits, and hangs up after three seconds.
//! `cargo run --example caller -p sip-stack [sip:callee@127.0.0.1:5062]`.

use std::sync::Arc;
use std::time::Duration;

use session_core::{Application, CallRecord, CallSession, IncomingCall, SessionId};
use sip_core::message::StatusCode;
use sip_stack::sessions::{CallDecision, CallHandler, SessionControl, SessionManagerBuilder};
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
    let to = std::env::args().nth(1);
    let to = to.as_deref().unwrap_or("sip:callee@127.0.0.1:5062");
    let builder = SessionManagerBuilder::new().with_handler(Arc::new(Caller(changed)));
    let coordinator = builder.build().await?;
    SessionControl::start(&coordinator).await?;
    let call = coordinator
        .create_outgoing_call("sip:caller@127.0.0.1", to, Some(Application::Music))
        .await?;
    while changes.recv().await == Some(true) {
        coordinator.send_dtmf(call.id, "42#").await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        coordinator.terminate_session(call.id).await?;
    }
    SessionControl::stop(&coordinator).await;
    Ok(())
}
