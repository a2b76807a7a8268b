//! A server that answers every call and plays back what it hears: `cargo run --example answer_everyone -p sip-stack`.

use std::sync::Arc;

use session_core::{Application, IncomingCall, SessionId};
use sip_stack::sessions::{CallDecision, CallHandler, SessionControl, SessionManagerBuilder};

struct Everybody;

impl CallHandler for Everybody {
    fn on_incoming_call(&self, _: SessionId, call: &IncomingCall) -> CallDecision {
        println!("{} calls {}", call.from, call.to);
        CallDecision::Accept(Some(Application::Echo))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let builder = SessionManagerBuilder::new().with_sip_port(5062);
    let coordinator = builder.with_handler(Arc::new(Everybody)).build().await?;
    SessionControl::start(&coordinator).await?;
    println!("call sip:anybody@127.0.0.1:5062; Ctrl-C ends it");
    tokio::signal::ctrl_c().await?;
    SessionControl::stop(&coordinator).await;
    Ok(())
}
