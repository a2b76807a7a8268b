//! Calls that media threads carry: each thread drives a shard of its own with packets made beforehand, without sockets and
//! without SRTP, so that no load generator and no system call takes part. Every thread has the same number of calls
//! between Opus and PCMU; of some the two legs are on different threads, and what they say crosses the lanes of the gateway.
//!
//! A thread goes through the virtual time of its calls as fast as it can. The share of a core that a call takes is the thread's
//! CPU time, by its own clock, divided by that virtual time and by its calls; the reciprocal is the calls per core. The sum over
//! all threads is what they carry in all, and the wall clock beside it shows whether the cores were there to be had.

use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use clap::Parser;
use cordboard_tests::load::shard::{address, bridge, open, packets, party, shard};
use media_core::control::SocketId;
use media_core::negotiated::Codec;
use media_core::shard::{Input, Output, Shard};
use nix::time::{ClockId, clock_gettime};
use sans_io::Time;
use sip_stack::media::mesh::{Bell, Lanes, mesh};

/// Calls per core, of one media thread and of several.
#[derive(Parser)]
struct Options {
    /// Number of threads to compare with one.
    #[arg(long, default_value_t = 2)]
    threads: u8,
    /// Calls of each thread.
    #[arg(long, default_value_t = 100)]
    calls: usize,
    /// Of them, calls whose other leg is on the next thread.
    #[arg(long, default_value_t = 0)]
    across: usize,
    /// Virtual seconds of a run.
    #[arg(long, default_value_t = 10)]
    seconds: usize,
    /// Runs; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Result of a run.
struct Carried {
    /// CPU-ms of a call-second.
    cost: f64,
    /// Calls that the threads carry together by their CPU time.
    in_all: f64,
    /// And by the wall clock.
    by_the_clock: f64,
    lost: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let frames = options.seconds * 50;
    let speech = Arc::new([Codec::Opus, Codec::Pcmu].map(|codec| packets(codec, frames)));
    let mut results = Vec::new();
    for threads in [1, options.threads.max(1)] {
        let mut runs: Vec<Carried> = (0..options.rounds)
            .map(|_| run(&options, threads, &speech))
            .collect();
        runs.sort_by(|a, b| a.in_all.total_cmp(&b.in_all));
        let run = runs.swap_remove(runs.len() / 2);
        println!(
            "{threads} threads, {} calls of Opus and PCMU on each, {} across: {:.3} CPU-ms a call-second, {:.0} calls per core, {:.0} in all \
             ({:.0} by the wall clock), {} packets lost",
            options.calls,
            if threads == 1 { 0 } else { options.across },
            run.cost,
            run.in_all / f64::from(threads),
            run.in_all,
            run.by_the_clock,
            run.lost
        );
        results.push(run);
    }
    let [one, several] = &results[..] else {
        return ExitCode::FAILURE;
    };
    println!(
        "{} threads carry {:.2} times the calls of one ({:.2} by the wall clock) at {:.2} times the cost of a call",
        options.threads,
        several.in_all / one.in_all,
        several.by_the_clock / one.by_the_clock,
        several.cost / one.cost
    );
    if one.lost + several.lost == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(options: &Options, threads: u8, speech: &Arc<[Vec<Vec<u8>>; 2]>) -> Carried {
    let begin = Arc::new(Barrier::new(usize::from(threads)));
    let across = if threads == 1 { 0 } else { options.across };
    // Nobody sleeps, so nobody is woken.
    let poll = mio::Poll::new().expect("a poll");
    let waker = mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker");
    let bells: Vec<_> = {
        let waker = Arc::new(waker);
        (0..threads).map(|_| Bell::new(Arc::clone(&waker))).collect()
    };
    let lanes = mesh(&bells);
    let workers: Vec<_> = (0..threads)
        .zip(lanes)
        .map(|(number, lanes)| {
            let (begin, speech) = (Arc::clone(&begin), Arc::clone(speech));
            let calls = options.calls;
            std::thread::spawn(move || {
                let mut worker = Worker::new(number, threads, calls, across, lanes);
                begin.wait();
                // A second for the codecs to be made and the links to be tied.
                worker.play(&speech, 0..50, &begin);
                begin.wait();
                let (sent, cpu, wall) = (worker.sent, thread_time(), Instant::now());
                worker.play(&speech, 50..speech[0].len(), &begin);
                (worker.sent - sent, thread_time() - cpu, wall.elapsed())
            })
        })
        .collect();
    let results: Vec<_> = workers
        .into_iter()
        .filter_map(|worker| worker.join().ok())
        .collect();
    let frames = speech[0].len() - 50;
    let call_seconds = options.calls as f64 * frames as f64 / 50.0;
    let shares = results.iter().map(|(_, cpu, _)| cpu.as_secs_f64() / call_seconds);
    let expected = 2 * options.calls * frames * usize::from(threads);
    let slowest = results
        .iter()
        .map(|(_, _, wall)| wall.as_secs_f64())
        .fold(0.0, f64::max);
    Carried {
        cost: 1_000.0 * shares.clone().sum::<f64>() / f64::from(threads),
        in_all: shares.map(|share| 1.0 / share).sum(),
        by_the_clock: call_seconds * f64::from(threads) / slowest,
        lost: expected.saturating_sub(results.iter().map(|(sent, ..)| sent).sum()),
    }
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// A media thread without sockets.
struct Worker {
    number: u8,
    threads: u8,
    calls: usize,
    across: usize,
    shard: Shard,
    lanes: Lanes,
    now: Time,
    buffer: Vec<u8>,
    sent: usize,
}

/// The first leg of a thread.
fn base(number: u8) -> usize {
    usize::from(number) * 1_000
}

impl Worker {
    fn new(number: u8, threads: u8, calls: usize, across: usize, lanes: Lanes) -> Worker {
        let now = Time::from_secs(1_800_000_000);
        let mut shard = shard(number, now, 4 * calls);
        for leg in 0..2 * calls {
            let codec = if leg % 2 == 0 { Codec::Opus } else { Codec::Pcmu };
            open(&mut shard, now, base(number) + leg, codec);
        }
        let mut worker = Worker {
            number,
            threads,
            calls,
            across,
            shard,
            lanes,
            now,
            buffer: vec![0; 2_000],
            sent: 0,
        };
        worker.connect(number);
        let before = (number + threads - 1) % threads;
        if before != number {
            worker.connect(before);
        }
        worker
    }

    /// Tells the shard of the calls of a thread, as far as it has to do with them.
    fn connect(&mut self, of: u8) {
        let next = (of + 1) % self.threads;
        for call in 0..self.calls {
            let there = if call < self.across { next } else { of };
            if of == self.number || there == self.number {
                let opus = party(base(of) + 2 * call, of);
                let pcmu = party(base(there) + 2 * call + 1, there);
                let command = bridge(base(of) + call, of, vec![opus, pcmu]);
                self.shard.handle_input(self.now, command);
                self.drain();
            }
        }
    }

    fn play(&mut self, speech: &[Vec<Vec<u8>>; 2], frames: std::ops::Range<usize>, step: &Barrier) {
        for frame in frames {
            self.now += Duration::from_millis(20);
            for leg in 0..2 * self.calls {
                let packet = &speech[leg % 2][frame];
                let data = &mut self.buffer[..packet.len()];
                data.copy_from_slice(packet);
                let leg = base(self.number) + leg;
                let socket = SocketId(2 * leg as u32);
                self.shard.handle_datagram(self.now, socket, address(leg), data);
                self.drain();
            }
            self.shard.handle_input(self.now, Input::Timeout);
            self.drain();
            if self.across > 0 {
                // There and back.
                for _ in 0..2 {
                    step.wait();
                    self.receive();
                }
            }
        }
    }

    fn receive(&mut self) {
        self.lanes.bell.answer();
        let mut buffer = std::mem::take(&mut self.buffer);
        for from in 0..self.threads {
            let Some(mut lane) = self.lanes.inward[usize::from(from)].take() else {
                continue;
            };
            lane.receive(&mut buffer, |message| {
                self.shard.handle_message(self.now, from, message);
                self.drain();
            });
            self.lanes.inward[usize::from(from)] = Some(lane);
        }
        self.buffer = buffer;
    }

    fn drain(&mut self) {
        loop {
            match self.shard.poll_output() {
                Output::Timeout(_) => break,
                Output::Transmit { data, .. } => self.sent += usize::from(!data.is_empty()),
                Output::Message { to, message } => {
                    if let Some(lane) = &mut self.lanes.outward[usize::from(to)] {
                        lane.send(message);
                    }
                }
                _ => {}
            }
        }
        for lane in self.lanes.outward.iter_mut().flatten() {
            lane.flush();
        }
    }
}
