//! A bot that people call: it answers, plays a prompt, which any key cuts short, and does as the keys say: 1 plays a tone, 2 plays back
//! what it hears, 0 hangs up. `cargo run -p sip-stack --example call_in_bot [PORT [PROMPT.wav]]`.

use std::f64::consts::TAU;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use sip_stack::client::{AudioStream, Call, CallEvent, Client, PlayError, Sound, SoundRate};

/// Plays the prompt: the file, or else three notes.
async fn prompt(call: &Call, path: Option<&str>) -> Result<AudioStream, PlayError> {
    if let Some(path) = path {
        return call.play_wav(Path::new(path)).await;
    }
    let mut at = 0_u32;
    let notes = move |frame: &mut [i16]| {
        let note = [523.0, 659.0, 784.0].get(at as usize / 4_000);
        let Some(hertz) = note else { return false };
        for sample in frame {
            *sample = ((f64::from(at) * hertz * TAU / 8_000.0).sin() * 6_000.0) as i16;
            at += 1;
        }
        true
    };
    Ok(call.send_audio(SoundRate::Hz8000, notes).await?)
}

/// Serves one caller, until somebody hangs up.
async fn serve(mut call: Call, path: Option<String>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    call.answer(Sound::silence()).await?;
    let mut prompting = Some(prompt(&call, path.as_deref()).await?);
    while let Some(event) = call.event().await {
        let CallEvent::Dtmf { digit, .. } = event else {
            continue;
        };
        println!("key {digit}");
        drop(prompting.take());
        match digit {
            '1' => call.play(Sound::tone(1_000, -10)).await?,
            '2' => call.play(Sound::echo()).await?,
            '0' => call.hang_up().await?,
            _ => prompting = Some(prompt(&call, path.as_deref()).await?),
        }
    }
    println!("gone");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(5062), |port| port.parse())?;
    let path = std::env::args().nth(2);
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    let mut client = Client::builder().bind(address).start().await?;
    for listener in client.listeners() {
        println!("call sip:bot@{}", listener.addr);
    }
    while let Some(call) = client.next_call().await {
        let path = path.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(call, path).await {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}
