//! A softphone for the terminal: registers, makes and takes calls, one at a time. A WAV file is its microphone, another one its ear.
//! `cargo run -p sip-stack --example softphone -- sip:1001@127.0.0.1:5060 secret [MICROPHONE.wav [HEARD.wav]]`, then `help`. With the account
//! `sip:1001@127.0.0.1:8080;transport=ws` it is a WebRTC client, as a page in a browser is.

use std::path::{Path, PathBuf};

use sip_stack::client::{
    Account, Call, CallEvent, Change, Channels, Client, Sound, State, WavRecording, read_wav,
};
use sip_stack::{StatusCode, Transport};
use tokio::sync::mpsc;

const HELP: &str = "call NUMBER, answer, reject, hangup, digits 12#, hold, resume, transfer NUMBER, \
                    write NUMBER TEXT, quit";

type Failure = Box<dyn std::error::Error>;

struct Phone {
    account: Account,
    sound: Sound,
    heard: Option<PathBuf>,
    call: Option<Call>,
    recording: Option<WavRecording>,
}

impl Phone {
    /// Does what a line of the user says. False ends the program.
    async fn obey(&mut self, line: &str) -> Result<bool, Failure> {
        let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match (verb, &mut self.call) {
            ("quit", _) => return Ok(false),
            ("call", None) => self.call = Some(self.account.dial(rest, self.sound.clone()).await?),
            ("write", _) => {
                let (to, text) = rest.split_once(' ').ok_or("write NUMBER TEXT")?;
                self.account.send_message(to, text).await?;
                println!("written");
            }
            ("answer", Some(call)) => call.answer(self.sound.clone()).await?,
            ("reject", Some(call)) => call.reject(StatusCode::BUSY_HERE).await?,
            ("hangup", Some(call)) => call.hang_up().await?,
            ("digits", Some(call)) => call.send_dtmf(rest).await?,
            ("hold", Some(call)) => call.hold().await?,
            ("resume", Some(call)) => call.resume().await?,
            ("transfer", Some(call)) => {
                call.transfer(rest).await?;
                println!("transferred");
            }
            _ => println!("{HELP}"),
        }
        Ok(true)
    }

    /// Somebody calls.
    async fn called(&mut self, call: Call) -> Result<(), Failure> {
        if self.call.is_some() {
            call.reject(StatusCode::BUSY_HERE).await?;
            return Ok(());
        }
        println!("{} calls", call.caller().map_or("?", |caller| &caller.from));
        self.call = Some(call);
        Ok(())
    }

    /// The call has changed.
    async fn changed(&mut self, change: Option<Change>) -> Result<(), Failure> {
        match change {
            Some(Change::State(State::Ringing { .. })) => println!("ringing"),
            Some(Change::State(State::Answered)) => {
                println!("answered");
                if let (Some(call), Some(path)) = (&self.call, &self.heard) {
                    self.recording = Some(call.record_wav(path, Channels::Party).await?);
                }
            }
            Some(Change::State(State::Ended(record))) => {
                if let Some(recording) = self.recording.take() {
                    println!("heard {:.1} s of sound", recording.finish().await?.loud_seconds());
                }
                println!("ended: {}", record.code);
                self.call = None;
            }
            Some(Change::Event(CallEvent::Dtmf { digit, .. })) => println!("key {digit}"),
            Some(Change::Event(CallEvent::Held(held))) => {
                println!("{}", if held { "held" } else { "resumed" })
            }
            Some(Change::State(State::Calling) | Change::Event(CallEvent::Talking)) => {}
            None => self.call = None,
        }
        Ok(())
    }
}

/// The next change of a call; without a call there is none.
async fn change(call: &mut Option<Call>) -> Option<Change> {
    match call {
        Some(call) => call.change().await,
        None => std::future::pending().await,
    }
}

/// Lines that the user types, read by a thread of their own.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (typed, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if typed.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [aor, password, files @ ..] = &arguments[..] else {
        return Err("softphone sip:NAME@SERVER PASSWORD [MICROPHONE.wav [HEARD.wav]]".into());
    };
    let mut builder = Client::builder().towards(aor)?;
    if aor.ends_with(";transport=ws") {
        builder = builder
            .webrtc(true)
            .transport(Transport::Ws)
            .websocket_path("/ws");
    }
    let mut client = builder.start().await?;
    let name = aor
        .trim_start_matches("sip:")
        .split('@')
        .next()
        .unwrap_or_default();
    let account = client.account(aor, name, password)?;
    account.register().await?;
    println!("registered {aor}");
    let mut phone = Phone {
        account,
        sound: match files.first() {
            Some(path) => Sound::new(read_wav(Path::new(path), true)?),
            None => Sound::silence(),
        },
        heard: files.get(1).map(PathBuf::from),
        call: None,
        recording: None,
    };
    let (mut inbox, mut lines) = (client.inbox().await?, lines());
    loop {
        let done = tokio::select! {
            line = lines.recv() => match phone.obey(line.as_deref().unwrap_or("quit")).await {
                Ok(true) => Ok(()),
                Ok(false) => break,
                Err(error) => Err(error),
            },
            Some(call) = client.next_call() => phone.called(call).await,
            Some(message) = inbox.next() => {
                println!("{} writes: {}", message.from, message.text());
                Ok(())
            }
            change = change(&mut phone.call) => phone.changed(change).await,
        };
        if let Err(error) = done {
            println!("{error}");
        }
    }
    phone.account.unregister().await?;
    client.stop().await;
    Ok(())
}
