//! Audio of calls from and to code, and WAV files.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use media_core::tone::measure;
use session_core::Application;
use sip_core::flow::Transport;
use sip_stack::audio::{Channels, SoundRate};
use sip_stack::client::{Client, PlayError, Sound, SoundError, presets, read_pcm, simple};
use sip_stack::sessions::{MediaError, SessionControl, SessionError, SessionManagerBuilder};

use super::{client, connect, soon, uri};

/// A file that is removed with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("cordboard-{}-{name}.wav", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Writes a tone, mono.
fn tone(file: &Scratch, hertz: f64, rate: u32, seconds: f64) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&file.0, spec).expect("a file");
    for i in 0..(f64::from(rate) * seconds) as u32 {
        let at = f64::from(i) / f64::from(rate);
        let sample = (at * hertz * std::f64::consts::TAU).sin() * 8_000.0;
        writer.write_sample(sample as i16).expect("written");
    }
    writer.finalize().expect("written");
}

/// Its loud part is this tone.
fn assert_tone(pcm: &[i16], hertz: f64, seconds: f64) {
    let loud = |chunk: &&[i16]| chunk.iter().any(|sample| sample.abs() > 2_000);
    let loud: Vec<i16> = pcm.chunks(80).filter(loud).flatten().copied().collect();
    let heard = loud.len() as f64 / 8_000.0;
    assert!((heard - seconds).abs() < 0.25, "{heard} s of {seconds}");
    let found = measure(&loud[2_000..loud.len() - 2_000], 8_000);
    assert!(
        (found.hertz - hertz).abs() < 2.0 && found.purity > 0.9,
        "{found:?} instead of {hertz}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_speak_and_listen() {
    for (rate, webrtc) in [(SoundRate::Hz8000, false), (SoundRate::Hz48000, true)] {
        super::log();
        let start = || async { presets::loopback().webrtc(webrtc).start().await.expect("client") };
        let (alice, mut bob) = (start().await, start().await);
        let [mut made, taken] = connect(&alice, &mut bob, [Sound::silence(), Sound::silence()]).await;
        let heard = Arc::new(Mutex::new((Vec::new(), 0)));
        let kept = Arc::clone(&heard);
        let listening = taken.receive_audio(SoundRate::Hz16000, move |frame| {
            let mut kept = kept.lock().expect("sound");
            kept.0.extend_from_slice(frame.samples);
            kept.1 = frame.rate;
        });
        let listening = listening.await.expect("a call");
        let hertz = f64::from(rate.hertz());
        let mut at = 0;
        let speaking = made.send_audio(rate, move |frame| {
            assert_eq!(frame.len(), rate.hertz() as usize / 50);
            for sample in frame.iter_mut() {
                let angle = f64::from(at) / hertz * 1_004.0 * std::f64::consts::TAU;
                *sample = (angle.sin() * 8_000.0) as i16;
                at += 1;
            }
            at < rate.hertz() * 3 / 2
        });
        soon(speaking.await.expect("a call").ended()).await;
        assert!(!listening.is_over());
        made.hang_up().await.expect("up");
        soon(made.ended()).await.expect("over");
        soon(listening.ended()).await;
        let (pcm, rate) = std::mem::take(&mut *heard.lock().expect("sound"));
        // G.711 has telephone bandwidth, Opus twice that.
        assert_eq!(rate, if webrtc { 16_000 } else { 8_000 });
        let pcm = media_core::resample::resample(&pcm, rate, 8_000);
        assert_tone(&pcm, 1_004.0, 1.5);
        alice.stop().await;
        bob.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wav_files_are_played_and_both_sides_recorded() {
    let (alice, mut bob) = (client(Transport::Udp).await, client(Transport::Udp).await);
    let [made, mut taken] = connect(&alice, &mut bob, [Sound::silence(), Sound::tone(440, -10)]).await;
    let (played, one, both) = (Scratch::new("played"), Scratch::new("one"), Scratch::new("both"));
    tone(&played, 1_004.0, 44_100, 1.5);
    let of_bob = made.record_wav(&one.0, Channels::Party).await.expect("a file");
    let of_both = taken.record_wav(&both.0, Channels::Both).await.expect("a file");
    soon(made.play_wav(&played.0).await.expect("a file").ended()).await;
    let heard = soon(of_bob.finish()).await.expect("written");
    assert!(heard.loud_seconds() > 1.3, "{heard:?}");
    made.hang_up().await.expect("up");
    soon(taken.ended()).await.expect("over");
    soon(of_both.ended()).await.expect("written");

    let (pcm, rate) = read_pcm(&one.0).expect("a recording");
    assert_eq!((rate, pcm.len() as u64), (8_000, heard.samples));
    let found = measure(&pcm[4_000..8_000], 8_000);
    assert!((found.hertz - 440.0).abs() < 2.0, "{found:?}");
    let mut reader = hound::WavReader::open(&both.0).expect("a recording");
    assert_eq!(reader.spec().channels, 2);
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().expect("samples");
    let side = |of: usize| samples.iter().skip(of).step_by(2).copied().collect::<Vec<_>>();
    assert_tone(&side(0), 1_004.0, 1.5);
    let found = measure(&side(1)[4_000..8_000], 8_000);
    assert!((found.hertz - 440.0).abs() < 2.0, "what Alice hears: {found:?}");
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_played_says_why() {
    let (alice, mut bob) = (client(Transport::Udp).await, client(Transport::Udp).await);
    let [mut made, _taken] = connect(&alice, &mut bob, [Sound::silence(), Sound::silence()]).await;
    let missing = made.play_wav("/nowhere/at/all.wav".as_ref()).await;
    assert!(matches!(missing, Err(PlayError::Sound(SoundError::File(_)))));
    let slow = Scratch::new("slow");
    tone(&slow, 440.0, 1_000, 0.1);
    let slow = made.play_wav(&slow.0).await;
    assert!(matches!(slow, Err(PlayError::Sound(SoundError::Rate(1_000)))));
    made.hang_up().await.expect("up");
    soon(made.ended()).await.expect("over");
    let late = made.record_wav(&Scratch::new("late").0, Channels::Party).await;
    assert!(matches!(late, Err(PlayError::Call(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_plays_records_and_streams() {
    let server = soon(
        SessionManagerBuilder::new()
            .with_media_ports(38_000..=38_999)
            .build(),
    )
    .await;
    let server = server.expect("sockets");
    SessionControl::start(&server).await.expect("started");
    let mut bob = client(Transport::Udp).await;
    let to = uri(&bob);
    let made = server.create_outgoing_call("sip:server@127.0.0.1", &to, Some(Application::Music));
    let made = made.await.expect("a URI");
    let early = server.transfer(made.id, "sip:carol@127.0.0.1").await;
    assert_eq!(early, Err(SessionError::NotAnswered));
    let mut at_bob = soon(bob.next_call()).await.expect("a call");
    soon(at_bob.answer(Sound::tone(440, -10)))
        .await
        .expect("answered");
    let (played, recorded) = (Scratch::new("announcement"), Scratch::new("party"));
    tone(&played, 1_004.0, 16_000, 1.2);
    let heard = at_bob
        .record_wav(&recorded.0, Channels::Party)
        .await
        .expect("a file");
    soon(server.play_wav(made.id, &played.0).await.expect("a call").ended()).await;
    soon(heard.finish()).await.expect("written");
    let (pcm, _) = read_pcm(&recorded.0).expect("a recording");
    let sine = |chunk: &&[i16]| {
        let found = measure(chunk, 8_000);
        (found.hertz - 1_004.0).abs() < 8.0 && found.purity > 0.8
    };
    let tones = pcm.chunks_exact(800).filter(sine).count();
    assert!(tones >= 9, "{tones} tenths of a second of 1,004 Hz");

    let (sender, mut frames) = tokio::sync::mpsc::unbounded_channel();
    let listening = server.receive_audio(made.id, SoundRate::Hz8000, move |frame| {
        let _ = sender.send(frame.samples.to_vec());
    });
    let listening = listening.await.expect("a call");
    let mut pcm = Vec::new();
    while pcm.len() < 8_000 {
        pcm.extend(soon(frames.recv()).await.expect("the call goes on"));
    }
    drop(listening);
    let found = measure(&pcm[4_000..], 8_000);
    assert!((found.hertz - 440.0).abs() < 2.0, "{found:?}");
    soon(async { while frames.recv().await.is_some() {} }).await;

    // A phone of ours calls nobody in another's place.
    let refused = soon(server.transfer(made.id, "sip:carol@127.0.0.1")).await;
    assert!(matches!(refused, Err(SessionError::Refused(_))), "{refused:?}");
    server.terminate_session(made.id).await.expect("up");
    soon(at_bob.ended()).await.expect("over");
    let over = server.record_wav(made.id, &recorded.0, Channels::Party).await;
    assert!(matches!(over, Err(MediaError::Session(SessionError::NoSession))));
    SessionControl::stop(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_call_is_one_function() {
    super::log();
    let mut echo: Client = client(Transport::Udp).await;
    let to = uri(&echo);
    let answering = async {
        let mut call = echo.next_call().await.expect("a call");
        call.answer(Sound::echo()).await.expect("answered");
        call.ended().await
    };
    let question = Scratch::new("question");
    tone(&question, 1_004.0, 8_000, 1.5);
    let (heard, record) = soon(async { tokio::join!(simple::call(&to, &question.0), answering) }).await;
    assert!(record.is_some());
    assert_tone(&heard.expect("a call"), 1_004.0, 1.5);
    let nobody = soon(simple::call("sip:nobody@127.0.0.1:9", &question.0)).await;
    assert!(matches!(nobody, Err(simple::SimpleError::Call(_))), "{nobody:?}");
}
