//! A server that answers every call and plays back what it hears: `cargo run -p sip-stack --example echo_server [PORT]`.

use std::sync::Arc;

use sip_stack::sessions::{
    Application, CallDecision, CallHandler, IncomingCall, SessionControl, SessionId, SessionManagerBuilder,
};

struct Everybody;

impl CallHandler for Everybody {
    fn on_incoming_call(&self, _: SessionId, call: &IncomingCall) -> CallDecision {
        println!("{} calls {}", call.from, call.to);
        CallDecision::Accept(Some(Application::Echo))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(5062), |port| port.parse())?;
    let builder = SessionManagerBuilder::new().with_sip_port(port);
    let coordinator = builder.with_handler(Arc::new(Everybody)).build().await?;
    SessionControl::start(&coordinator).await?;
    let address = coordinator.local_address().ok_or("no listener")?;
    println!("call sip:anybody@{address}; Ctrl-C ends it");
    tokio::signal::ctrl_c().await?;
    SessionControl::stop(&coordinator).await;
    Ok(())
}
