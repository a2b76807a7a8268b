//! One of two peers without a server: waits for a call, plays a tone to it, and ends with it.
//! `cargo run --example callee -p sip-stack`, then `cargo run --example caller -p sip-stack`.

use std::sync::Arc;

use session_core::{Application, CallRecord, IncomingCall, SessionId};
use sip_stack::sessions::{CallDecision, CallHandler, SessionControl, SessionManagerBuilder};
use tokio::sync::mpsc;

struct Callee(mpsc::UnboundedSender<String>);

impl CallHandler for Callee {
    fn on_incoming_call(&self, _: SessionId, call: &IncomingCall) -> CallDecision {
        println!("{} calls", call.from);
        CallDecision::Accept(Some(Application::Tone {
            hertz: 1_000,
            dbm0: -10,
        }))
    }

    fn on_dtmf(&self, _: SessionId, digit: char) {
        println!("digit {digit}");
    }

    fn on_call_ended(&self, record: &CallRecord) {
        let _ = self.0.send(format!("ended: {:?} {}", record.cause, record.code));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (ended, mut over) = mpsc::unbounded_channel();
    let builder = SessionManagerBuilder::new().with_sip_port(5062);
    let coordinator = builder.with_handler(Arc::new(Callee(ended))).build().await?;
    SessionControl::start(&coordinator).await?;
    println!("waiting at sip:callee@127.0.0.1:5062");
    if let Some(how) = over.recv().await {
        println!("{how}");
    }
    SessionControl::stop(&coordinator).await;
    Ok(())
}
