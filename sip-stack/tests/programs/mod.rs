//! The examples, run as their users run them.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use media_core::tone::measure;
use sip_core::flow::Transport;
use sip_stack::client::{CallEvent, Client, Sound, SoundRate, presets, read_pcm};
use tokio::sync::mpsc;

use super::{client, listen, soon};

/// A running example; it ends with this.
struct Program {
    child: Child,
    input: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Program {
    /// `cargo nextest run` and `cargo test` build examples beside the tests, without being asked.
    fn start(name: &str, arguments: &[&str]) -> Program {
        let test = std::env::current_exe().expect("a path");
        let folder = test.ancestors().nth(2).expect("a build folder");
        let mut child = Command::new(folder.join("examples").join(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the example {name} was not built: {error}"));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let input = child.stdin.take().expect("piped");
        Program { child, input, lines }
    }

    /// Reads on to the line that has this in it.
    async fn says(&mut self, part: &str) -> String {
        let mut all = Vec::new();
        loop {
            let Some(line) = soon(self.lines.recv()).await else {
                panic!("no {part:?} in {all:#?}");
            };
            if line.contains(part) {
                return line;
            }
            all.push(line);
        }
    }

    fn type_in(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it reads");
    }

    /// The SIP URI that a program says it is reached at.
    async fn address(&mut self) -> String {
        let line = self.says("sip:").await;
        let uri = line.split(' ').find_map(|word| word.strip_prefix("sip:"));
        format!("sip:{}", uri.expect("a URI").trim_end_matches(';'))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("cordboard-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A tone is somewhere in what was heard, 200 ms without a break. The programs and this test share a machine with other tests, so that there
/// may be gaps elsewhere.
fn assert_heard(pcm: &[i16], hertz: f64) {
    let parts = pcm.windows(1_600).step_by(400);
    let found: Vec<_> = parts.map(|part| measure(part, 8_000)).collect();
    let is_it = |tone: &media_core::tone::Measured| (tone.hertz - hertz).abs() < 2.0 && tone.purity > 0.95;
    assert!(found.iter().any(is_it), "{hertz} Hz in {found:?}");
}

/// Dials, and is answered.
async fn call(client: &Client, to: &str, sound: Sound) -> sip_stack::client::Call {
    let mut made = client.dial(to, sound).await.expect("a URI");
    soon(made.answered()).await.expect("answered");
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn the_echo_server_plays_back_what_it_hears() {
    let mut server = Program::start("echo_server", &["0"]);
    let to = server.address().await;
    let alice = client(Transport::Udp).await;
    let mut made = call(&alice, &to, Sound::tone(1_004, -10).recorded()).await;
    let (_recorder, heard) = listen(made.recorder().expect("recorded"), 1_500).await;
    assert_heard(&heard, 1_004.0);
    server.says("anonymous calls anybody").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peers_call_each_other_without_a_server() {
    let folder = scratch("peers");
    let heard = folder.join("heard.wav");
    let mut callee = Program::start("callee", &["0"]);
    let to = callee.address().await;
    let mut caller = Program::start("caller", &[&to, heard.to_str().expect("a path")]);
    callee.says("caller calls").await;
    caller.says("callee answered").await;
    for digit in ["4", "2", "#"] {
        callee.says(&format!("digit {digit}")).await;
    }
    caller.says("ended: Local 200").await;
    callee.says("ended: Caller 200").await;
    caller.says("s of sound").await;
    let (pcm, _) = read_pcm(&heard).expect("a recording");
    assert_heard(&pcm, 1_000.0);
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_prompts_and_does_as_the_keys_say() {
    let mut bot = Program::start("call_in_bot", &["0"]);
    let to = bot.address().await;
    let alice = client(Transport::Udp).await;
    let mut made = call(&alice, &to, Sound::silence()).await;
    let (sender, mut frames) = mpsc::unbounded_channel();
    let listening = made.receive_audio(SoundRate::Hz8000, move |frame| {
        let _ = sender.send(frame.samples.to_vec());
    });
    let _listening = listening.await.expect("a call");
    let mut hears = async |hertz: f64| {
        let mut pcm = Vec::new();
        loop {
            pcm.extend(soon(frames.recv()).await.expect("the call lasts"));
            let at = pcm.len().saturating_sub(1_600);
            let tone = measure(&pcm[at..], 8_000);
            if at > 0 && (tone.hertz - hertz).abs() < 3.0 && tone.purity > 0.9 {
                return;
            }
        }
    };
    hears(523.0).await;
    made.send_dtmf("1").await.expect("up");
    bot.says("key 1").await;
    hears(1_000.0).await;
    made.send_dtmf("2").await.expect("up");
    made.play(Sound::tone(700, -10)).await.expect("up");
    hears(700.0).await;
    made.send_dtmf("0").await.expect("up");
    soon(made.ended()).await.expect("it hangs up");
    bot.says("gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorder_writes_a_file_for_each_call() {
    let folder = scratch("recorder");
    let mut server = Program::start("wav_recorder", &["0", folder.to_str().expect("a path")]);
    let to = server.address().await;
    let alice = client(Transport::Udp).await;
    let mut made = call(&alice, &to, Sound::tone(1_004, -10).recorded()).await;
    let (_recorder, heard) = listen(made.recorder().expect("recorded"), 2_000).await;
    assert_heard(&heard, 425.0);
    made.hang_up().await.expect("up");
    let line = server.says("s of anonymous").await;
    let path = line.split(" has ").next().expect("a path");
    let mut reader = hound::WavReader::open(path).expect("a recording");
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().expect("samples");
    for (side, hertz) in [(0, 1_004.0), (1, 425.0)] {
        let pcm: Vec<i16> = samples.iter().skip(side).step_by(2).copied().collect();
        assert_heard(&pcm, hertz);
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn softphones_register_at_the_server_call_transfer_and_write() {
    let folder = scratch("softphone");
    let (microphone, heard) = (folder.join("microphone.wav"), folder.join("heard.wav"));
    let tone: Vec<i16> = (0..8_000_u32)
        .map(|i| ((f64::from(i) * 440.0 * std::f64::consts::TAU / 8_000.0).sin() * 8_000.0) as i16)
        .collect();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&microphone, spec).expect("a file");
    tone.iter()
        .for_each(|sample| writer.write_sample(*sample).expect("written"));
    writer.finalize().expect("written");

    let mut server = Program::start("sip_server", &["0"]);
    let registrar = server.address().await.replace("sip:", "");
    let aor = |user: &str| format!("sip:{user}@{registrar}");
    let files = [&microphone, &heard].map(|path| path.to_str().expect("a path"));
    let mut phone = Program::start("softphone", &[&aor("1001"), "secret", files[0], files[1]]);
    phone.says("registered").await;

    let mut bob = presets::loopback().start().await.expect("client");
    let account = bob.account(&aor("1002"), "1002", "secret").expect("a URI");
    soon(account.register()).await.expect("registered");
    let mut inbox = bob.inbox().await.expect("running");
    phone.type_in("call 1002");
    let mut taken = soon(bob.next_call()).await.expect("a call");
    phone.says("ringing").await;
    soon(taken.answer(Sound::tone(1_004, -10).recorded()))
        .await
        .expect("answered");
    phone.says("answered").await;
    let (_recorder, sound) = listen(taken.recorder().expect("recorded"), 1_500).await;
    assert_heard(&sound, 440.0);
    phone.type_in("digits 7");
    let digit = async {
        loop {
            if let CallEvent::Dtmf { digit, .. } = taken.event().await.expect("up") {
                return digit;
            }
        }
    };
    assert_eq!(soon(digit).await, '7');
    phone.type_in("write 1002 see you");
    assert_eq!(
        soon(inbox.next())
            .await
            .map(|message| message.text().into_owned()),
        Some("see you".into())
    );
    phone.says("written").await;
    soon(account.send_message("1001", "bye")).await.expect("taken");
    phone.says("1002 writes: bye").await;

    // To a third phone, whose microphone is silent.
    let mut third = Program::start("softphone", &[&aor("1003"), "secret"]);
    third.says("registered").await;
    phone.type_in("transfer 1003");
    third.says("1002 calls").await;
    third.type_in("answer");
    third.says("answered").await;
    phone.says("transferred").await;
    phone.says("ended").await;
    let (pcm, _) = read_pcm(&heard).expect("a recording");
    assert_heard(&pcm, 1_004.0);

    taken.hang_up().await.expect("up");
    third.says("ended").await;
    third.type_in("quit");
    phone.type_in("quit");
    for program in [&mut phone, &mut third] {
        assert!(program.child.wait().expect("it ran").success());
    }
    let gone = account
        .dial("1003", Sound::silence())
        .await
        .expect("dialled")
        .answered()
        .await;
    assert!(gone.is_err(), "nobody is registered there any more");
    std::fs::remove_dir_all(folder).expect("removed");
}
