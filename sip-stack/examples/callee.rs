//! One of two peers without a server: waits for a call, plays a tone to it, and ends with it.
//! `cargo run -p sip-stack --example callee [PORT]`, then `cargo run -p sip-stack --example caller`.

use std::sync::Arc;

use sip_stack::sessions::{
    Application, CallDecision, CallHandler, CallRecord, IncomingCall, SessionControl, SessionId,
    SessionManagerBuilder,
};
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
    let port = std::env::args().nth(1).map_or(Ok(5062), |port| port.parse())?;
    let builder = SessionManagerBuilder::new().with_sip_port(port);
    let coordinator = builder.with_handler(Arc::new(Callee(ended))).build().await?;
    SessionControl::start(&coordinator).await?;
    let address = coordinator.local_address().ok_or("no listener")?;
    println!("waiting at sip:callee@{address}");
    if let Some(how) = over.recv().await {
        println!("{how}");
    }
    SessionControl::stop(&coordinator).await;
    Ok(())
}
