//! Comparison of all sources: events here, the stream, the wallboard's snapshot, the numbers of the API, the
//! records, `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use serde_json::Value;

use super::book::{Book, Call, Verdict};
use super::floor::Floor;
use super::web::Web;
use super::{Follower, NUMBER, Outcome};

const QUEUE: &str = "que_load";
/// Maximum number of faults that a report names.
const SHOWN: usize = 10;

/// Prints how long things took.
pub(super) fn figures(book: &Book, time: Duration) {
    let calls = || book.calls.values();
    let ms = |from: std::time::Instant, to: std::time::Instant| {
        to.saturating_duration_since(from).as_secs_f64() * 1e3
    };
    let free = |call: &&Call| call.free;
    print(
        "caller's INVITE to 200",
        calls()
            .filter_map(|call| Some(ms(call.begun, call.taken?)))
            .collect(),
    );
    print(
        "caller's INVITE to an agent's phone, agents free",
        calls()
            .filter(free)
            .filter_map(|call| Some(ms(call.begun, call.offered?)))
            .collect(),
    );
    print(
        "the same, no agent free",
        calls()
            .filter(|call| !call.free)
            .filter_map(|call| Some(ms(call.begun, call.offered?)))
            .collect(),
    );
    print(
        "agent's 200 to ACK",
        calls()
            .filter_map(|call| Some(ms(call.answered?.1, call.joined?)))
            .collect(),
    );
    println!(
        "offers: {} ({:.1} a second)",
        book.offers,
        book.offers as f64 / time.as_secs_f64()
    );
}

fn print(what: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |part: f64| {
        values
            .get(((values.len() as f64 - 1.0) * part) as usize)
            .copied()
            .unwrap_or(0.0)
    };
    println!(
        "{what}: p50_ms {:.2} p99_ms {:.2} max_ms {:.2} ({} times)",
        at(0.5),
        at(0.99),
        at(1.0),
        values.len()
    );
}

/// Checks, each of which is one line.
#[derive(Default)]
pub(super) struct Checks {
    pub(super) failed: usize,
}

impl Checks {
    pub(super) fn that(&mut self, what: &str, holds: bool, seen: impl Debug) {
        if holds {
            println!("ok {what}");
        } else {
            self.failed += 1;
            println!("not ok {what}: {seen:?}");
        }
    }

    pub(super) fn same<T: PartialEq + Debug>(&mut self, what: &str, got: T, wanted: T) {
        let same = got == wanted;
        self.that(what, same, (got, "wanted", wanted));
    }
}

/// Compares; how many checks failed.
pub(super) async fn compare(
    floor: &Floor,
    boss: &Web,
    wall: &Follower,
    pages: &[Follower],
) -> Outcome<usize> {
    let records = boss.records().await?;
    let mut fresh = boss.events(None).await?;
    fresh.next().await?;
    let numbers = boss.ask("GET", "/metrics/queues?step=900", None).await?;
    let agents = boss.ask("GET", "/metrics/agents", None).await?;
    let page = boss.request("GET", "/metrics", None).await?.1;
    let commits = |part| quantile(&page, "cordboard_store_commit_seconds", part);
    println!(
        "{} commits to the store: p50 up to {} s, p99 up to {} s",
        sample(&page, "cordboard_store_commit_seconds_count"),
        commits(0.5),
        commits(0.99)
    );
    let mut checks = Checks::default();

    let all = || pages.iter().chain([wall]);
    let over: Vec<String> = all().filter_map(|page| page.seen.borrow().over.clone()).collect();
    let gaps: u64 = all().map(|page| page.seen.borrow().gaps).sum();
    let wall = wall.seen.borrow();
    let book = &floor.book;
    let shown: Vec<&String> = book.faults.iter().take(SHOWN).collect();
    checks.that(
        "no call was offered twice at once, none was lost",
        shown.is_empty(),
        (book.faults.len(), shown),
    );
    checks.that(
        "every stream stayed open",
        over.is_empty(),
        (over.len(), over.first()),
    );
    checks.same("no stream has a gap", gaps, 0);

    let (outcomes, wrong) = against(book, &records);
    checks.that(
        "each call has its record, and that says how it ended",
        wrong.is_empty(),
        (wrong.len(), wrong.iter().take(SHOWN).collect::<Vec<_>>()),
    );
    let answered = records
        .iter()
        .filter(|record| !record["answered_at"].is_null())
        .count() as u64;
    let count = |outcome: &str| outcomes.get(outcome).copied().unwrap_or(0);
    let (completed, abandoned) = (count("completed"), count("abandoned"));
    println!("records: {outcomes:?}, {answered} answered");
    checks.same(
        "calls either completed or were abandoned",
        completed + abandoned,
        book.calls.len() as u64,
    );
    checks.same("completed calls were answered", answered, completed);

    // entered, answered, abandoned, overflowed, completed, sent on, lost
    let wanted = [book.calls.len() as u64, answered, abandoned, 0, completed, 0, 0];
    let day = |numbers: &Value| {
        [
            "entered",
            "answered",
            "abandoned",
            "overflowed",
            "completed",
            "sent_on",
            "lost",
        ]
        .map(|name| numbers[name].as_u64().unwrap_or(u64::MAX))
    };
    let reported = wall.queues.get(QUEUE).cloned().unwrap_or_default();
    checks.same("the wallboard's stream", day(&reported["today"]), wanted);
    let shown = fresh.seen.borrow().queues.get(QUEUE).cloned().unwrap_or_default();
    checks.same("the wallboard's snapshot", day(&shown["today"]), wanted);
    checks.same(
        "nobody waits or talks any more",
        (
            shown["live"]["waiting"].as_u64(),
            wall.calls.len(),
            fresh.seen.borrow().calls.len(),
        ),
        (Some(0), 0, 0),
    );
    let mut sums = [0; 7];
    for stretch in numbers["items"].as_array().into_iter().flatten() {
        for (sum, part) in sums.iter_mut().zip(day(stretch)) {
            *sum += part;
        }
    }
    checks.same("the queue's numbers", sums, wanted);

    let own = own(&wall.ended);
    checks.same(
        "calls that the stream told to be over",
        own,
        [completed, abandoned],
    );
    let counted = |outcome: &str| {
        sample(
            &page,
            &format!("cordboard_queue_entries_total{{queue=\"load\",outcome=\"{outcome}\"}}"),
        )
    };
    checks.same(
        "/metrics, calls",
        [counted("completed"), counted("abandoned")],
        [completed, abandoned],
    );
    let results = ["accepted", "rejected", "no-answer", "cancelled", "lost"];
    let offers = results.map(|result| {
        sample(
            &page,
            &format!("cordboard_acd_offers_total{{result=\"{result}\"}}"),
        )
    });
    let stream = results.map(|result| wall.offers_ended.get(result).copied().unwrap_or(0));
    println!(
        "offers: {}",
        results
            .iter()
            .zip(offers)
            .map(|(result, n)| format!("{result} {n}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    checks.same("/metrics and the stream agree in offers", offers, stream);
    checks.same(
        "offers that were told, that ended, and that rang here",
        [wall.offers_made, offers.iter().sum()],
        [book.offers, book.offers],
    );
    checks.same("no offer was lost", offers[4], 0);
    let entries = sample(&page, "cordboard_store_commit_entries_sum");
    checks.that(
        "all of it was made durable",
        entries >= wall.changes,
        (entries, wall.changes),
    );
    let taken = |item: &Value| item["calls"].as_u64().unwrap_or(0);
    let items = agents["items"].as_array().cloned().unwrap_or_default();
    checks.same("calls that agents took", items.iter().map(taken).sum(), offers[0]);
    let unlike = items
        .iter()
        .zip(&floor.agents)
        .filter(|(item, agent)| taken(item).abs_diff(agent.answered) > 1)
        .count();
    checks.same(
        "each agent took as many as here",
        (items.len(), unlike),
        (floor.agents.len(), 0),
    );
    Ok(checks.failed)
}

/// Records against what happened: by outcome, and those that are wrong.
fn against(book: &Book, records: &[Value]) -> (BTreeMap<String, u64>, Vec<String>) {
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for record in records {
        let outcome = record["outcome"].as_str().unwrap_or_default();
        *outcomes.entry(outcome.to_string()).or_default() += 1;
        let from = record["from"]["number"].as_str().unwrap_or_default();
        let number = from.trim_start_matches('+').parse().unwrap_or(0);
        *seen.entry(number).or_default() += 1;
        let right = match book.calls.get(&number).map(Call::verdict) {
            Some(Verdict::Completed) => outcome == "completed",
            Some(Verdict::Abandoned) => outcome == "abandoned",
            Some(Verdict::Either) => outcome == "completed" || outcome == "abandoned",
            None => false,
        };
        if !right || record["to"] != NUMBER {
            wrong.push(format!(
                "{number} {outcome}, wanted {:?}",
                book.calls.get(&number).map(Call::verdict)
            ));
        }
    }
    for number in book.calls.keys() {
        match seen.get(number).copied().unwrap_or(0) {
            1 => {}
            n => wrong.push(format!("{number} has {n} records")),
        }
    }
    (outcomes, wrong)
}

fn own(ended: &BTreeMap<String, u64>) -> [u64; 2] {
    ["completed", "abandoned"].map(|outcome| ended.get(outcome).copied().unwrap_or(0))
}

/// A sample of `/metrics`, 0 if it is not there.
fn sample(page: &str, name: &str) -> u64 {
    page.lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
        .map_or(0, |value| value as u64)
}

/// The bound of a histogram without labels that this part of all values do not pass.
fn quantile<'a>(page: &'a str, name: &str, part: f64) -> &'a str {
    let all = sample(page, &format!("{name}_count")) as f64;
    let bucket = format!("{name}_bucket{{le=\"");
    page.lines()
        .filter_map(|line| line.strip_prefix(&bucket)?.split_once("\"} "))
        .find(|(_, count)| count.parse::<f64>().is_ok_and(|count| count >= part * all))
        .map_or("?", |(bound, _)| bound)
}

/// Counts warnings of the gateway too, and the memory that sign-ins left behind, kB.
pub(super) fn gateway(failed: usize, log: &str, kept: u64) -> usize {
    let mut checks = Checks { failed };
    let warns = |line: &&str| {
        ["WARN", "ERROR", "panicked"]
            .iter()
            .any(|word| line.contains(word))
    };
    let warned: Vec<&str> = log.lines().filter(warns).collect();
    checks.that(
        "the gateway had nothing to warn of",
        warned.is_empty(),
        (warned.len(), warned.first()),
    );
    checks.that("signing in left less than 100 MB behind", kept < 100_000, kept);
    checks.failed
}
