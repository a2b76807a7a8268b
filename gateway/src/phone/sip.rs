//! The SIP phone: SIP over UDP, TCP or TLS, and RTP.

use std::time::Duration;

use session_core::{CallRecord, Cause, EndedBy};
use sip_core::flow::Transport;
use sip_stack::client::{Account, Call, CallEvent, Client, ClientError, Sound, State, read_wav};
use tokio::time::Instant;

use super::{PhoneError, PhoneOptions, PlayedSound, SipNetwork, Summary};

/// Registers, makes or takes a call, and gives the registration up again.
///
/// # Errors
/// There was no call.
pub(super) async fn make_call(
    options: &PhoneOptions,
    network: &SipNetwork,
    print: &mut impl FnMut(&str),
) -> Result<Summary, PhoneError> {
    let sound = sound(options)?;
    let mut client = start(options, network).await?;
    let until = Instant::now() + options.wait;
    let mut account = None;
    if let Some(wanted) = &options.account {
        let made = client
            .account(&wanted.aor, &wanted.username, &wanted.password)
            .and_then(|account| account.through(&wanted.server))
            .map_err(|error| PhoneError::Register(options.server.clone(), error))?;
        if wanted.register {
            if let Err(error) = register(&made, options, until).await {
                client.stop().await;
                return Err(error);
            }
            print(&format!("registered {}", wanted.aor));
        }
        account = Some(made);
    }
    let summary = converse(&mut client, account.as_ref(), options, sound, until, print).await;
    // Also after a call that came to nothing: a phone that is gone must not ring.
    if let Some(account) = account.filter(|_| options.account.as_ref().is_some_and(|a| a.register)) {
        let _ = tokio::time::timeout(Duration::from_secs(2), account.unregister()).await;
    }
    client.stop().await;
    summary
}

/// The call, made or taken, from its beginning to its end.
async fn converse(
    client: &mut Client,
    account: Option<&Account>,
    options: &PhoneOptions,
    sound: Sound,
    until: Instant,
    print: &mut impl FnMut(&str),
) -> Result<Summary, PhoneError> {
    let mut call = match &options.call {
        Some(to) => {
            let made = match account {
                Some(account) => account.dial(to, sound).await,
                None => client.dial(to, sound).await,
            };
            let mut call = made.map_err(|error| options.failed(error))?;
            print(&format!("calling {to}"));
            until_answered(&mut call, options, until, print).await?;
            call
        }
        None => take(client, options, sound, until, print).await?,
    };
    print("answered");
    talk(&mut call, options, print).await
}

async fn start(options: &PhoneOptions, network: &SipNetwork) -> Result<Client, PhoneError> {
    let mut builder = Client::builder()
        .bind(network.bind)
        .transport(network.transport)
        .rtp_ports(network.rtp_ports.clone())
        .codecs(options.codecs.clone());
    if network.transport == Transport::Tls {
        builder = builder.tls(options.trust.tls()?);
    }
    builder.start().await.map_err(PhoneError::Start)
}

fn sound(options: &PhoneOptions) -> Result<Sound, PhoneError> {
    let sound = match &options.play {
        PlayedSound::Silence => Sound::silence(),
        PlayedSound::Echo => return Ok(Sound::echo()),
        PlayedSound::Tone { hertz, dbm0 } => Sound::tone(*hertz, *dbm0),
        PlayedSound::Wav { path, repeat } => {
            Sound::new(read_wav(path, *repeat).map_err(|error| PhoneError::Sound(path.clone(), error))?)
        }
    };
    Ok(sound.recorded())
}

impl PhoneOptions {
    pub(super) fn failed(&self, error: ClientError) -> PhoneError {
        PhoneError::Call(self.server.clone(), error)
    }

    /// Error for the end of `--wait`.
    pub(super) fn too_late(&self, what: &str) -> PhoneError {
        PhoneError::TooLate(format!("{what} within {} s", self.wait.as_secs()))
    }
}

/// Registers, until it is too late. A request that was never answered need not be undone.
async fn register(account: &Account, options: &PhoneOptions, until: Instant) -> Result<(), PhoneError> {
    let server = &options.server;
    tokio::select! {
        registered = account.register() => {
            registered.map_err(|error| PhoneError::Register(server.clone(), error))
        }
        () = tokio::time::sleep_until(until) => {
            Err(options.too_late(&format!("cannot register: no answer from {server}")))
        }
        _ = tokio::signal::ctrl_c() => Err(PhoneError::Interrupted),
    }
}

async fn until_answered(
    call: &mut Call,
    options: &PhoneOptions,
    until: Instant,
    print: &mut impl FnMut(&str),
) -> Result<(), PhoneError> {
    let answered = async {
        call.ringing().await?;
        if let State::Ringing { early_media } = call.state() {
            print(if early_media {
                "ringing, with sound"
            } else {
                "ringing"
            });
        }
        call.answered().await
    };
    let error = tokio::select! {
        answered = answered => return answered.map_err(|error| options.failed(error)),
        () = tokio::time::sleep_until(until) => options.too_late("call failed: nobody answered"),
        _ = tokio::signal::ctrl_c() => PhoneError::Interrupted,
    };
    let _ = call.hang_up().await;
    let _ = tokio::time::timeout(Duration::from_secs(2), call.ended()).await;
    Err(error)
}

async fn take(
    client: &mut Client,
    options: &PhoneOptions,
    sound: Sound,
    until: Instant,
    print: &mut impl FnMut(&str),
) -> Result<Call, PhoneError> {
    for listener in client.listeners() {
        print(&format!(
            "waiting for a call at {} {}",
            listener.transport.name(),
            listener.addr
        ));
    }
    let arrived = tokio::select! {
        arrived = tokio::time::timeout_at(until, client.next_call()) => arrived,
        _ = tokio::signal::ctrl_c() => return Err(PhoneError::Interrupted),
    };
    let mut call = arrived
        .ok()
        .flatten()
        .ok_or_else(|| options.too_late("nobody called"))?;
    if let Some(caller) = call.caller() {
        print(&format!("{} calls {}", caller.from, caller.to));
    }
    tokio::select! {
        () = tokio::time::sleep(options.ring) => {}
        _ = call.ended() => {}
        _ = tokio::signal::ctrl_c() => {
            let _ = call.hang_up().await;
            let _ = tokio::time::timeout(Duration::from_secs(2), call.ended()).await;
            return Err(PhoneError::Interrupted);
        }
    }
    call.answer(sound).await.map_err(|error| options.failed(error))?;
    Ok(call)
}

/// Talks, from the answer to the end.
async fn talk(
    call: &mut Call,
    options: &PhoneOptions,
    print: &mut impl FnMut(&str),
) -> Result<Summary, PhoneError> {
    let recording = call.recorder().map(|recorder| {
        let path = options.record.clone();
        tokio::task::spawn_blocking(move || recorder.run(path.as_deref()))
    });
    if let Some(keys) = &options.dtmf {
        call.send_dtmf(keys)
            .await
            .map_err(|error| options.failed(error))?;
        print(&format!("sent {keys}"));
    }
    let mut digits = String::new();
    let end = async {
        match options.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    loop {
        tokio::select! {
            event = call.event() => match event {
                Some(CallEvent::Dtmf { digit, .. }) => {
                    print(&format!("key {digit}"));
                    digits.push(digit);
                }
                Some(CallEvent::Talking) => print("receiving audio"),
                Some(CallEvent::Held(held)) => print(if held { "held" } else { "resumed" }),
                None => break,
            },
            () = &mut end => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    let _ = call.hang_up().await;
    let record = call
        .ended()
        .await
        .ok_or_else(|| options.failed(ClientError::Stopped))?;
    let heard = match recording {
        None => None,
        Some(recording) => {
            let path = options.record.clone().unwrap_or_default();
            let heard = recording.await.ok().and_then(Result::ok);
            Some(heard.ok_or_else(|| {
                PhoneError::File(path, std::io::Error::other("the recording cannot be written"))
            })?)
        }
    };
    Ok(Summary {
        played: !matches!(options.play, PlayedSound::Silence),
        code: record.code,
        ended_by: ended_by(&record),
        set_up: None,
        talked: talked(&record),
        digits,
        heard,
        report: record
            .legs
            .first()
            .map(|leg| leg.report.clone())
            .unwrap_or_default(),
    })
}

fn talked(record: &CallRecord) -> Duration {
    record
        .answered
        .map(|answered| record.ended.since(answered))
        .unwrap_or_default()
}

fn ended_by(record: &CallRecord) -> EndedBy {
    match record.cause {
        Cause::Caller | Cause::Callee => EndedBy::Peer,
        Cause::Local => EndedBy::Us,
        Cause::Refused | Cause::Away | Cause::Lost | Cause::Failed => EndedBy::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::make_call;
    use crate::phone::options::tests::parsed;

    #[tokio::test]
    async fn the_wait_also_bounds_registering() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let registrar = silent.local_addr().expect("address").to_string();
        let options = parsed(&["9196", "--registrar", &registrar, "--wait", "1"]).expect("good");
        let began = Instant::now();
        let error = make_call(options, |_| {}).await.expect_err("nobody answers");
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(
            error.to_string(),
            format!("cannot register: no answer from {registrar} within 1 s")
        );
    }
}
