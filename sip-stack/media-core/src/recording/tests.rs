//! Calls as they reach a recorder, and what becomes of them, in virtual time.

mod calls;

use std::collections::BTreeSet;
use std::time::Duration;

use sans_io::{Rng, Time};

use super::*;
use crate::codec::{Encoder, FRAME, g711::Law, opus};
use crate::dtmf::Detector;
use crate::rtp::{HEADER, Header};
use crate::tone::{Dual, Sine, amplitude, digit_frequencies, measure};

const NARROW: RecorderSettings = RecorderSettings {
    rate: 8_000,
    silences_digits: true,
};

/// A tapped packet.
#[derive(Clone)]
struct Tapped(Time, Channel, Option<Codec>, Vec<u8>);

/// A party that sends 20 ms packets by a clock of its own.
struct Sender {
    channel: Channel,
    encoder: Encoder,
    header: Header,
    /// Packets that it made.
    made: u64,
    /// Time of its first packet, and how much too slow its clock is, in millionths.
    from: u64,
    ppm: i64,
}

impl Sender {
    fn new(channel: Channel, from: u64, ppm: i64) -> Sender {
        Sender {
            channel,
            encoder: Encoder::G711(Law::Mu),
            header: Header {
                marker: false,
                payload_type: 0,
                sequence: 65_500,
                timestamp: u32::MAX - 3_000,
                ssrc: channel as u32 + 7,
            },
            made: 0,
            from,
            ppm,
        }
    }

    fn opus(self) -> Sender {
        Sender {
            encoder: Encoder::Opus(opus::Encoder::new(8_000).unwrap()),
            ..self
        }
    }

    /// Time at which a sample is spoken.
    fn spoken(&self, sample: u64) -> u64 {
        let micros = (sample * 125) as i64;
        self.from + (micros + micros * self.ppm / 1_000_000) as u64
    }

    /// The next packet; it comes so much later than it was spoken.
    fn say(&mut self, pcm: &[i16; FRAME], late: u64) -> Tapped {
        let mut payload = [0; 400];
        let length = self.encoder.encode(pcm, &mut payload).unwrap().unwrap();
        let codec = self.encoder.codec();
        let packet = self.packet(&payload[..length]);
        let at = Time(self.spoken(self.made * 160) + late);
        self.pass(1);
        Tapped(at, self.channel, Some(codec), packet)
    }

    fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let mut head = [0; HEADER];
        self.header.write(&mut head);
        [&head, payload].concat()
    }

    /// Lets packets pass in time, one of which was sent or none.
    fn pass(&mut self, packets: u64) {
        self.made += packets;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        let ticks = self.encoder.codec().clock() / 50 * packets as u32;
        self.header.timestamp = self.header.timestamp.wrapping_add(ticks);
    }

    fn tone(&mut self, hertz: f64, packets: usize) -> Vec<Tapped> {
        let mut sine = Sine::new(hertz, amplitude(-14.0));
        (0..packets)
            .map(|_| {
                let mut pcm = [0; FRAME];
                sine.add(&mut pcm);
                self.say(&pcm, 0)
            })
            .collect()
    }
}

/// Sound recorded of packets, each channel by itself.
fn record(mut packets: Vec<Tapped>, settings: RecorderSettings) -> [Vec<i16>; 2] {
    packets.sort_by_key(|packet| packet.0);
    let mut recorder = Recorder::new(settings);
    let mut sound = [Vec::new(), Vec::new()];
    for Tapped(at, channel, codec, data) in packets {
        drain(&mut recorder, at, &mut sound);
        recorder.insert(at, channel, codec, &data);
    }
    end(recorder, &mut sound);
    sound
}

fn drain(recorder: &mut Recorder, at: Time, sound: &mut [Vec<i16>; 2]) {
    while let Some(frame) = recorder.pull(at) {
        for pair in frame.chunks_exact(2) {
            sound[0].push(pair[0]);
            sound[1].push(pair[1]);
        }
    }
}

fn end(mut recorder: Recorder, sound: &mut [Vec<i16>; 2]) {
    recorder.finish();
    drain(&mut recorder, Time(0), sound);
}

#[track_caller]
fn assert_tone(sound: &[i16], rate: u32, hertz: f64) {
    let found = measure(sound, rate);
    assert!((found.hertz - hertz).abs() < 1.0, "{hertz} Hz: {found:?}");
    assert!(
        (found.dbm0 + 14.0).abs() < 0.5 && found.purity > 0.95,
        "{hertz} Hz: {found:?}"
    );
}

fn is_silent(sound: &[i16]) -> bool {
    sound.iter().all(|sample| *sample == 0)
}

#[test]
fn the_far_side_is_left_and_ours_is_right_from_the_first_sound_to_the_last() {
    for (rate, is_opus) in [(8_000, false), (8_000, true), (16_000, false), (16_000, true)] {
        let mut far = Sender::new(Channel::Far, 5_000_000, 0);
        let mut ours = Sender::new(Channel::Ours, 6_000_000, 0);
        if is_opus {
            (far, ours) = (far.opus(), ours);
        }
        let mut packets = far.tone(440.0, 500);
        packets.extend(ours.tone(1_004.0, 500));
        let [left, right] = record(packets, RecorderSettings { rate, ..NARROW });
        let second = rate as usize;
        assert_eq!((left.len(), right.len()), (11 * second, 11 * second));
        assert_tone(&left[second..9 * second], rate, 440.0);
        assert!(is_silent(&right[..second]) && is_silent(&left[10 * second..]));
        assert_tone(&right[2 * second..10 * second], rate, 1_004.0);
    }
}

#[test]
fn channels_stay_aligned_for_an_hour_whatever_the_clocks_and_the_jitter() {
    let mut rng = Rng::seeded(7);
    let mut packets = Vec::new();
    for (channel, ppm) in [(Channel::Far, 200), (Channel::Ours, -200)] {
        let mut sender = Sender::new(channel, 0, ppm);
        for packet in 0..180_000_u64 {
            // 5 ms of a tone every 10 s.
            let pcm = std::array::from_fn(|i| {
                let spoken = sender.spoken(packet * 160 + i as u64);
                let is_pulse = spoken % 10_000_000 < 5_000;
                if is_pulse && i % 8 < 4 { 12_000 } else { 0 }
            });
            packets.push(sender.say(&pcm, rng.below(20_000)));
        }
    }
    let sound = record(
        packets,
        RecorderSettings {
            silences_digits: false,
            ..NARROW
        },
    );
    let [left, right] = sound.map(|sound| pulses(&sound));
    assert!(
        left.len() >= 359 && right.len() >= 359,
        "{} {}",
        left.len(),
        right.len()
    );
    for (left, right) in left.iter().zip(&right) {
        assert!(
            left.abs_diff(*right) <= 40,
            "{left} and {right} are more than 5 ms apart"
        );
    }
    // The time line is the machine's: 3,590 s lie between the first pulse and the last.
    for pulses in [left, right] {
        let apart = pulses[358] - pulses[0];
        assert!(apart.abs_diff(3_580 * 8_000) < 160, "{apart}");
    }
}

/// Places at which pulses begin.
fn pulses(sound: &[i16]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for (at, sample) in sound.iter().enumerate() {
        if sample.abs() > 4_000 && found.last().is_none_or(|last| at - last > 8_000) {
            found.push(at);
        }
    }
    found
}

#[test]
fn packets_find_their_order_and_lost_ones_are_made_up_for() {
    let mut far = Sender::new(Channel::Far, 0, 0);
    let mut packets = far.tone(440.0, 500);
    // Each tenth comes 70 ms late, each 49th never, and some twice.
    for packet in packets.iter_mut().skip(5).step_by(10) {
        packet.0 += Duration::from_millis(70);
    }
    let twice: Vec<Tapped> = packets.iter().skip(3).step_by(50).cloned().collect();
    packets.extend(twice);
    let mut number = 0;
    packets.retain(|_| {
        number += 1;
        number % 49 != 0
    });
    let [left, _] = record(packets, NARROW);
    assert_eq!(left.len(), 80_000);
    assert_tone(&left[4_000..], 8_000, 440.0);
}

#[test]
fn nothing_heard_is_silence_of_the_same_length_however_the_sender_goes_on() {
    // On hold for 30 s; then timestamps go on, stand still or begin anew, or another stream comes.
    for kind in 0..4 {
        let mut far = Sender::new(Channel::Far, 0, 0);
        let mut ours = Sender::new(Channel::Ours, 0, 0);
        let mut packets = ours.tone(1_004.0, 100);
        packets.extend(far.tone(440.0, 100));
        let stood = far.header.timestamp;
        far.pass(1_500);
        ours.pass(1_500);
        match kind {
            0 => {}
            1 => far.header.timestamp = stood,
            2 => far.header.timestamp = 0x1234_5678,
            _ => (far.header.ssrc, far.header.sequence) = (99, 4),
        }
        packets.extend(far.tone(440.0, 100));
        packets.extend(ours.tone(1_004.0, 100));
        let [left, right] = record(packets, NARROW);
        assert!(left.len().abs_diff(34 * 8_000) <= 160, "{kind}: {}", left.len());
        for (sound, hertz) in [(left, 440.0), (right, 1_004.0)] {
            assert!(is_silent(&sound[17_000..255_000]), "{kind}");
            assert_tone(&sound[8_000..16_000], 8_000, hertz);
            assert_tone(&sound[256_400..271_000], 8_000, hertz);
        }
    }
}

#[test]
fn packets_that_were_held_up_lose_nothing_and_the_channel_is_aligned_again_soon() {
    let mut far = Sender::new(Channel::Far, 0, 0);
    let mut packets = far.tone(440.0, 1_000);
    // The first 300 ms come at once.
    for packet in &mut packets[..15] {
        packet.0 = Time(300_000);
    }
    let [left, _] = record(packets, NARROW);
    // A new sender is taken to be 40 ms late at most.
    let length = 20 * 8_000 - 15 * 160 + 320;
    assert!(left.len().abs_diff(length) <= 160, "{}", left.len());
    assert_tone(&left[60_000..], 8_000, 440.0);
}

#[test]
fn a_pause_is_silence_and_the_time_line_stays() {
    let mut far = Sender::new(Channel::Far, 1_000_000, 0);
    let mut recorder = Recorder::new(NARROW);
    let mut sound = [Vec::new(), Vec::new()];
    for Tapped(at, channel, codec, data) in far.tone(440.0, 500) {
        drain(&mut recorder, at, &mut sound);
        recorder.insert(at, channel, codec, &data);
        match at.as_micros() {
            3_000_000 => recorder.pause(at),
            5_000_000 => recorder.resume(at),
            _ => {}
        }
    }
    let pause = Span {
        from: Duration::from_secs(2),
        to: Duration::from_secs(4),
    };
    assert_eq!((recorder.pauses(), recorder.is_paused()), (vec![pause], false));
    end(recorder, &mut sound);
    assert_eq!(sound[0].len(), 80_000);
    assert!(is_silent(&sound[0][16_000..32_000]));
    assert_tone(&sound[0][..16_000], 8_000, 440.0);
    assert_tone(&sound[0][32_000..], 8_000, 440.0);
}

#[test]
fn no_digit_can_be_recovered_whether_it_is_a_tone_or_an_event_or_both() {
    for channel in [Channel::Far, Channel::Ours] {
        for (has_tone, has_events) in [(true, false), (true, true), (false, true)] {
            let mut sender = Sender::new(channel, 0, 0);
            let mut packets = sender.tone(440.0, 50);
            for digit in *b"0123456789*#ABCD" {
                packets.extend(digit_of(&mut sender, digit, has_tone, has_events));
                packets.extend(sender.tone(440.0, 60));
            }
            let sound = record(packets.clone(), NARROW);
            assert_eq!(digits(&sound[channel as usize]), BTreeSet::new());
            // What lies between the digits is there.
            let voice = &sound[channel as usize];
            assert_tone(&voice[800..6_000], 8_000, 440.0);
            assert_tone(&voice[voice.len() - 6_000..], 8_000, 440.0);
            let open = record(
                packets,
                RecorderSettings {
                    silences_digits: false,
                    ..NARROW
                },
            );
            assert_eq!(
                digits(&open[channel as usize]).len(),
                if has_tone { 16 } else { 0 }
            );
        }
    }
}

/// A key that is held for 100 ms: a tone, events (RFC 4733), or the beginning of the one before the other.
fn digit_of(sender: &mut Sender, digit: u8, has_tone: bool, has_events: bool) -> Vec<Tapped> {
    let mut tone = Dual::new(digit_frequencies(digit).unwrap(), -10.0);
    let event = b"0123456789*#ABCD"
        .iter()
        .position(|known| *known == digit)
        .unwrap();
    let mut packets = Vec::new();
    for packet in 0..5_u16 {
        let mut pcm = [0; FRAME];
        if has_tone {
            tone.add(&mut pcm);
        }
        let voice = sender.say(&pcm, 0);
        if has_events && packet >= 2 {
            let ticks = ((packet + 1) * 160).to_be_bytes();
            let flags = if packet == 4 { 0x8a } else { 0x0a };
            let mut event = sender.packet(&[event as u8, flags, ticks[0], ticks[1]]);
            event[1] = 101;
            packets.push(Tapped(voice.0, sender.channel, None, event));
        }
        packets.push(voice);
    }
    packets
}

/// All digits that an ear hears which begins at any sixth of a block.
fn digits(sound: &[i16]) -> BTreeSet<u8> {
    let mut found = BTreeSet::new();
    for offset in (0..102).step_by(17) {
        let mut detector = Detector::default();
        for frame in sound[offset..].chunks(102) {
            found.extend(detector.listen(frame));
        }
    }
    found
}

#[test]
fn nothing_that_comes_over_the_wire_takes_more_than_a_little_memory_or_time() {
    let mut rng = Rng::seeded(3);
    let mut recorder = Recorder::new(NARROW);
    let mut sound = [Vec::new(), Vec::new()];
    let codecs = [None, Some(Codec::Opus), Some(Codec::Pcmu), Some(Codec::G722)];
    for packet in 0..20_000_u64 {
        let at = Time(packet * 500);
        let mut data: Vec<u8> = (0..rng.below(300)).map(|_| rng.below(256) as u8).collect();
        if let Some(first) = data.first_mut() {
            *first = 0x80;
        }
        let codec = codecs[rng.below(4) as usize];
        let channel = [Channel::Far, Channel::Ours][rng.below(2) as usize];
        recorder.insert(at, channel, codec, &data);
        drain(&mut recorder, at, &mut sound);
    }
    end(recorder, &mut sound);
    // 10 s of it: the time line is that of the machine.
    assert!(sound[0].len() < 13 * 8_000, "{}", sound[0].len());
}
