//! A SIP server: users register with name and password, call, transfer and write to each other.
//! `cargo run -p sip-stack --example sip_server [PORT]`, then register phones as 1001, 1002 or 1003 with the password `secret`.

use std::sync::Arc;

use sip_stack::InstantMessage;
use sip_stack::sessions::{
    CallDecision, CallHandler, IncomingCall, MessageDecision, SessionControl, SessionId,
    SessionManagerBuilder,
};

struct Exchange;

impl CallHandler for Exchange {
    fn on_incoming_call(&self, _: SessionId, call: &IncomingCall) -> CallDecision {
        CallDecision::Connect(call.to.clone())
    }

    fn on_message(&self, message: &InstantMessage) -> MessageDecision {
        MessageDecision::Deliver(message.to.clone())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(5060), |port| port.parse())?;
    let mut builder = SessionManagerBuilder::new().with_sip_port(port);
    for user in ["1001", "1002", "1003"] {
        builder = builder.with_user(user, "secret");
    }
    let server = builder.with_handler(Arc::new(Exchange)).build().await?;
    SessionControl::start(&server).await?;
    println!(
        "registrar at sip:{}; Ctrl-C ends it",
        server.local_address().ok_or("no listener")?
    );
    tokio::signal::ctrl_c().await?;
    SessionControl::stop(&server).await;
    Ok(())
}
