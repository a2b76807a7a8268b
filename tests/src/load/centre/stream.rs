//! `stream`: readers of the event stream who are cut off, read too slowly, or lose their gateway, and go on where they were. All must have
//! been told the same as one who was never cut, each change once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use sans_io::Rng;
use serde_json::Value;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep, timeout};

use super::super::{Arguments, Outcome};
use super::floor::{Plan, Wish};
use super::verdict::Checks;
use super::web::{Events, Web};
use super::{Centre, Wishing};

/// Options of `stream`.
#[derive(Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 100)]
    cuts: usize,
    /// Number of times that the gateway is killed and started again.
    #[arg(long, default_value_t = 1)]
    kills: usize,
    /// Seconds for which the slow reader reads nothing, again and again. Of 100 the gateway must give it up.
    #[arg(long, default_value_t = 4)]
    slow: u64,
}

const AGENTS: usize = 20;
/// Time that a reader waits for the next change.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds after which the kernel has no more room for data that a slow reader did not read; ten later it is
/// given up.
const GIVEN_UP: u64 = 100;
/// Changes before a restart that are asked for again after it.
const BACK: u64 = 200;

/// Changes that one reader received: each by its number, as a hash of its text.
#[derive(Default)]
struct Reported {
    changes: BTreeMap<u64, u64>,
    last: Option<u64>,
    faults: Vec<String>,
    /// Times that the gateway had to send everything anew.
    snapshots: usize,
}

impl Reported {
    fn take(&mut self, text: &str) {
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => return self.faults.push(format!("{error}: {text}")),
        };
        let Some(seq) = value["seq"].as_u64() else {
            return self.faults.push(format!("no number: {text}"));
        };
        if value["type"] == "snapshot" {
            if self.last.is_some_and(|last| seq < last) {
                self.faults
                    .push(format!("a snapshot at {seq} after {:?}", self.last));
            }
            self.snapshots += 1;
            self.last = Some(seq);
            return;
        }
        if self.last.is_some_and(|last| seq != last + 1) {
            self.faults.push(format!("{seq} came after {:?}", self.last));
        }
        self.last = Some(seq);
        let mut hash = DefaultHasher::new();
        text.hash(&mut hash);
        if self.changes.insert(seq, hash.finish()).is_some() {
            self.faults.push(format!("{seq} came twice"));
        }
    }

    /// Reads on until the connection ends or the time is up. True when it is still open.
    async fn read(reported: &RefCell<Reported>, events: &mut Events, time: Duration, most: usize) -> bool {
        let until = Instant::now() + time;
        for _ in 0..most {
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left, events.text()).await {
                Ok(Ok(text)) if text.starts_with("{\"op\":\"resync\"") => {
                    reported.borrow_mut().last = None;
                    return false;
                }
                Ok(Ok(text)) => reported.borrow_mut().take(&text),
                Ok(Err(_)) => return false,
                Err(_) => return true,
            }
        }
        true
    }
}

/// Plays and compares.
pub(super) async fn run(arguments: &Arguments, options: &Options) -> Outcome<()> {
    let mut centre = Centre::start(arguments, "stream", AGENTS)?;
    let mut checks = Checks::default();
    cut(&centre, options, &mut checks).await?;
    for n in 0..options.kills {
        kill(&mut centre, n as u64, &mut checks).await?;
    }
    match checks.failed {
        0 => Ok(()),
        failed => Err(format!("{failed} of the checks failed").into()),
    }
}

/// One who reads all, one who is cut again and again, one who is slow.
async fn cut(centre: &Centre, options: &Options, checks: &mut Checks) -> Outcome<()> {
    let (boss, work) = at_work(centre).await?;
    let whole = Rc::new(RefCell::new(Reported::default()));
    let mut events = boss.resume(None, false).await?;
    let reference = Rc::clone(&whole);
    let reading =
        spawn_local(
            async move { while Reported::read(&reference, &mut events, PATIENCE, usize::MAX).await {} },
        );

    let slow = Rc::new(RefCell::new(Reported::default()));
    let (mut slow_events, slow_told, slow_boss) =
        (boss.resume(None, true).await?, Rc::clone(&slow), boss.clone());
    let (pause, given_up) = (Duration::from_secs(options.slow), Rc::new(RefCell::new(0)));
    let ends = Rc::clone(&given_up);
    let slow_reading = spawn_local(async move {
        loop {
            sleep(pause).await;
            // The rest of the connection, then another one.
            if !Reported::read(&slow_told, &mut slow_events, Duration::from_secs(1), usize::MAX).await {
                *ends.borrow_mut() += 1;
                let last = slow_told.borrow().last;
                match slow_boss.resume(last, true).await {
                    Ok(events) => slow_events = events,
                    Err(error) => return slow_told.borrow_mut().faults.push(error.to_string()),
                }
            }
        }
    });

    let reported = RefCell::new(Reported::default());
    let mut rng = Rng::seeded(7);
    let begun = Instant::now();
    for n in 0..options.cuts {
        let last = reported.borrow().last;
        let mut events = boss.resume(last, false).await?;
        let time = Duration::from_millis(rng.below(200));
        // Now and then nothing at all is read.
        let most = if rng.percent(10) {
            0
        } else {
            1 + rng.below(60) as usize
        };
        Reported::read(&reported, &mut events, time, most).await;
        events.cut(n % 2 == 0)?;
    }
    sleep((pause + Duration::from_secs(3)).saturating_sub(begun.elapsed())).await;
    drop(work);
    sleep(Duration::from_secs(1)).await;
    let until = whole.borrow().last;
    let last = reported.borrow().last;
    let mut events = boss.resume(last, false).await?;
    Reported::read(&reported, &mut events, Duration::from_secs(2), usize::MAX).await;
    slow_reading.abort();
    let last = slow.borrow().last;
    let mut events = boss.resume(last, true).await?;
    Reported::read(&slow, &mut events, Duration::from_secs(2), usize::MAX).await;
    reading.abort();

    let (whole, reported, slow) = (whole.borrow(), reported.borrow(), slow.borrow());
    println!(
        "{} changes in {:.0} s, {} cuts, given up {} times",
        whole.changes.len(),
        begun.elapsed().as_secs_f64(),
        options.cuts,
        given_up.borrow()
    );
    checks.that(
        "one who is not cut is told each change once",
        whole.faults.is_empty() && whole.changes.len() > 100,
        whole.faults.first(),
    );
    compare("one who is cut", &reported, (&whole, until), checks);
    compare("one who reads too slowly", &slow, (&whole, until), checks);
    if options.slow >= GIVEN_UP {
        checks.that("the slow one is given up", *given_up.borrow() > 0, ());
    }
    checks.same(
        "snapshots for the three",
        [whole.snapshots, reported.snapshots, slow.snapshots],
        [1, 1, 1],
    );
    Ok(())
}

/// A reader must have been told what the other one was, from its first change to its last, and at least until `until`.
fn compare(who: &str, reported: &Reported, (whole, until): (&Reported, Option<u64>), checks: &mut Checks) {
    checks.that(
        &format!("{who} has no gap and nothing twice"),
        reported.faults.is_empty(),
        (reported.faults.len(), reported.faults.first()),
    );
    let (Some((first, _)), Some((last, _))) = (
        reported.changes.first_key_value(),
        reported.changes.last_key_value(),
    ) else {
        return checks.that(&format!("{who} is told something"), false, ());
    };
    let same = whole.changes.range(first..=last).eq(reported.changes.iter());
    checks.that(
        &format!("{who} is told the same"),
        same && reported.changes.len() > 100 && Some(*last) >= until,
        (first, last, until, reported.changes.len()),
    );
}

/// The gateway is killed while a reader reads; the reader goes on after the restart, and the events it got
/// before stand.
async fn kill(centre: &mut Centre, n: u64, checks: &mut Checks) -> Outcome<()> {
    let (boss, work) = at_work(centre).await?;
    let reported = Rc::new(RefCell::new(Reported::default()));
    let mut events = boss.resume(None, false).await?;
    let reader = Rc::clone(&reported);
    let reading =
        spawn_local(async move { while Reported::read(&reader, &mut events, PATIENCE, usize::MAX).await {} });
    sleep(Duration::from_millis(2_500 + 137 * n)).await;
    centre.kill()?;
    drop(work);
    // Until the connection is found to be gone.
    reading.await?;
    let last = reported.borrow().last.ok_or("nothing was told")?;
    let seen = reported.borrow().changes.clone();

    let (agents, boss) = centre.sign_in(AGENTS).await?;
    let mut events = boss.resume(Some(last), false).await?;
    Reported::read(&reported, &mut events, Duration::from_secs(1), usize::MAX).await;
    // The stream continues after the restart too.
    let wanted = serde_json::json!({"intent": "paused", "reason": "after"});
    for agent in agents.iter().take(5) {
        agent
            .web
            .ask("PUT", "/me/agent/intent", Some(wanted.clone()))
            .await?;
    }
    Reported::read(&reported, &mut events, Duration::from_secs(1), usize::MAX).await;
    going_on(&reported.borrow(), last, checks);

    let back = last.saturating_sub(BACK);
    let again = RefCell::new(Reported {
        last: Some(back),
        ..Reported::default()
    });
    let mut events = boss.resume(Some(back), false).await?;
    Reported::read(&again, &mut events, Duration::from_secs(1), usize::MAX).await;
    let again = again.borrow();
    let unlike = seen
        .range(back + 1..)
        .find(|(seq, hash)| again.changes.get(seq) != Some(hash));
    checks.that(
        "what was told before the kill stands",
        again.faults.is_empty() && unlike.is_none() && seen.len() > 50,
        (seen.len(), unlike, again.faults.first()),
    );
    Ok(())
}

/// After the change with the number `last` the gateway was killed.
fn going_on(reported: &Reported, last: u64, checks: &mut Checks) {
    let after = reported.changes.range(last + 1..).count();
    checks.that(
        "after a kill it goes on with the next number",
        reported.faults.is_empty() && reported.snapshots == 1 && after >= 5,
        (last, after, reported.snapshots, reported.faults.first()),
    );
}

/// Agents and callers at work until it is dropped.
struct Work {
    playing: JoinHandle<()>,
    _wishing: Wishing,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.playing.abort();
    }
}

async fn at_work(centre: &Centre) -> Outcome<(Web, Work)> {
    let (agents, boss) = centre.sign_in(AGENTS).await?;
    let (mut floor, wishing) = centre.floor(agents).await?;
    for agent in 0..AGENTS {
        floor.agents[agent].free = true;
        let _ = floor.wishes.send((agent, Wish::Available));
    }
    let plan = Plan {
        rate: 10.0,
        seconds: 3_600,
        talk: Duration::from_millis(500),
        first: AGENTS,
    };
    let playing = spawn_local(async move {
        // The task ends when it is aborted, or with the gateway.
        let _ = floor.play(&plan, Duration::ZERO).await;
    });
    Ok((
        boss,
        Work {
            playing,
            _wishing: wishing,
        },
    ))
}
