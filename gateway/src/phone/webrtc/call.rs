//! A call until it is answered: made or taken.

use sip_core::message::StatusCode;
use sip_stack::client::ClientError;
use sip_stack::signalling::{Call, CallEvent};
use tokio::time::Instant;

use super::connection::Line;
use super::description::Terms;
use super::peer::Peer;
use super::sound::Sound;
use super::talk::{Answered, Begun, give_up, talk};
use crate::phone::{PhoneError, PhoneOptions, SetUp, Summary, WebRtcNetwork};

/// Calls `to`, and talks.
///
/// # Errors
/// There was no call.
pub(super) async fn make(
    line: &Line,
    options: &PhoneOptions,
    network: &WebRtcNetwork,
    sound: Sound,
    to: &str,
    until: Instant,
    print: &mut impl FnMut(&str),
) -> Result<Summary, PhoneError> {
    check_keys(options)?;
    let mut peer = Peer::new(network.media_ip, &options.codecs).await?;
    let offer = peer.offer().await?;
    let invited = Instant::now();
    let made = line.signalling.invite(to, offer).await;
    let mut call = made.map_err(|error| options.failed(error))?;
    print(&format!("calling {to}"));
    let mut set_up = begun(line);
    let answered = tokio::select! {
        answered = until_answered(&mut call, &mut peer, &sound, invited, &mut set_up, options, print) => answered,
        () = tokio::time::sleep_until(until) => Err(options.too_late("call failed: nobody answered")),
        _ = tokio::signal::ctrl_c() => Err(PhoneError::Interrupted),
    };
    match answered {
        Ok(sound) => {
            let answered = Answered {
                call,
                peer,
                sound,
                set_up,
            };
            talk(answered, options, print).await
        }
        Err(error) => {
            give_up(&mut call).await;
            peer.close().await;
            Err(error)
        }
    }
}

async fn until_answered(
    call: &mut Call,
    peer: &mut Peer,
    sound: &Sound,
    invited: Instant,
    set_up: &mut SetUp,
    options: &PhoneOptions,
    print: &mut impl FnMut(&str),
) -> Result<Begun, PhoneError> {
    let mut early = None;
    loop {
        match call.event().await {
            Some(CallEvent::Ringing { code, answer }) => {
                if set_up.ringing.is_none() && code != StatusCode::CALL_IS_BEING_FORWARDED {
                    set_up.ringing = Some(invited.elapsed());
                    print(if answer.is_some() {
                        "ringing, with sound"
                    } else {
                        "ringing"
                    });
                }
                // Early media. The answer of the 200 has to be the same (RFC 6337 §2.2), whoever sends it.
                if let (Some(answer), None) = (answer, &early) {
                    let terms = peer.answered(answer).await?;
                    early = Some(Begun::new(peer, sound, options, Some(terms)).await);
                }
            }
            Some(CallEvent::Answered { answer }) => {
                set_up.answer = Some(invited.elapsed());
                return match (early, answer) {
                    (Some(early), _) => Ok(early),
                    (None, Some(answer)) => {
                        let terms = peer.answered(answer).await?;
                        Ok(Begun::new(peer, sound, options, Some(terms)).await)
                    }
                    (None, None) => Err(PhoneError::Media("the answer describes no session".into())),
                };
            }
            Some(CallEvent::Ended { code, fault, .. }) => {
                return Err(options.failed(match fault {
                    Some(fault) => ClientError::Failed(fault),
                    None => ClientError::Refused(code),
                }));
            }
            Some(CallEvent::Offer { .. } | CallEvent::Acknowledged { .. }) => {}
            None => return Err(options.failed(ClientError::Stopped)),
        }
    }
}

/// Waits for a call, answers it, and talks.
///
/// # Errors
/// There was no call.
pub(super) async fn take(
    line: &mut Line,
    options: &PhoneOptions,
    network: &WebRtcNetwork,
    sound: Sound,
    until: Instant,
    print: &mut impl FnMut(&str),
) -> Result<Summary, PhoneError> {
    check_keys(options)?;
    print(&format!("waiting for a call over {}", network.url));
    let arrived = tokio::select! {
        arrived = tokio::time::timeout_at(until, line.incoming.next()) => arrived,
        _ = tokio::signal::ctrl_c() => return Err(PhoneError::Interrupted),
    };
    let mut call = arrived
        .map_err(|_| options.too_late("nobody called"))?
        .ok_or_else(|| options.failed(ClientError::Stopped))?;
    if let Some(parties) = call.parties() {
        print(&format!("{} calls {}", parties.from, parties.to));
    }
    let mut peer = Peer::new(network.media_ip, &options.codecs).await?;
    let answered = tokio::select! {
        answered = answer(&mut call, &mut peer, options) => answered,
        _ = tokio::signal::ctrl_c() => Err(PhoneError::Interrupted),
    };
    match answered {
        Ok(terms) => {
            let sound = Begun::new(&mut peer, &sound, options, terms).await;
            let answered = Answered {
                call,
                peer,
                sound,
                set_up: begun(line),
            };
            talk(answered, options, print).await
        }
        Err(error) => {
            give_up(&mut call).await;
            peer.close().await;
            Err(error)
        }
    }
}

/// Lets it ring, and answers.
async fn answer(
    call: &mut Call,
    peer: &mut Peer,
    options: &PhoneOptions,
) -> Result<Option<Terms>, PhoneError> {
    let rung = Instant::now() + options.ring;
    while let Ok(event) = tokio::time::timeout_at(rung, call.event()).await {
        if matches!(event, Some(CallEvent::Ended { .. }) | None) {
            return Err(options.failed(ClientError::Ended));
        }
    }
    let offer = call.parties().and_then(|parties| parties.offer.clone());
    let (description, terms) = match offer {
        Some(offer) => {
            let (answer, terms) = peer.answer(offer).await?;
            (answer, Some(terms))
        }
        None => (peer.offer().await?, None),
    };
    let accepted = call.accept(description).await;
    accepted.map_err(|error| options.failed(error))?;
    Ok(terms)
}

/// Set-up times before the call.
fn begun(line: &Line) -> SetUp {
    SetUp {
        websocket: line.opening,
        register: line.registering,
        ..SetUp::default()
    }
}

/// Every character is a key, or a comma.
fn check_keys(options: &PhoneOptions) -> Result<(), PhoneError> {
    let mut keys = options.dtmf.as_deref().unwrap_or_default().chars();
    let wrong = keys.find(|key| !matches!(key, ',' | '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d'));
    wrong.map_or(Ok(()), |key| Err(options.failed(ClientError::Digit(key))))
}
