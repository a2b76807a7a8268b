//! Several WebRTC calls at once: a bounded load, and the spread of what they report.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::report::{milliseconds, round};
use super::{Network, PhoneError, PhoneOptions, Summary, webrtc};
use crate::cli::PhoneArgs;

/// Number of calls, and how fast they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    calls: u16,
    /// Calls a second.
    rate: u16,
}

impl Load {
    /// Load that the command line asks for.
    pub(super) fn of(args: &PhoneArgs) -> Option<Load> {
        args.calls.map(|calls| Load {
            calls,
            rate: args.rate.max(1),
        })
    }
}

/// Results of all calls, in the order in which they ended.
#[derive(Debug)]
pub(super) struct LoadReport(Vec<Result<Summary, PhoneError>>);

/// Makes the calls, each as a page of its own: with its own WebSocket, registration and peer connection.
pub(super) async fn run(options: &PhoneOptions, load: Load, mut print: impl FnMut(&str)) -> LoadReport {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::from(load.rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut calls, mut results) = (JoinSet::new(), Vec::new());
    for _ in 0..load.calls {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = tokio::signal::ctrl_c() => break,
        }
        calls.spawn(one(options.clone()));
    }
    print(&format!("{} calls begun", calls.len()));
    while let Some(ended) = calls.join_next().await {
        // A task that panicked has said so itself.
        let Ok(result) = ended else { continue };
        if let Err(error) = &result {
            print(&error.to_string());
        }
        results.push(result);
    }
    LoadReport(results)
}

async fn one(options: PhoneOptions) -> Result<Summary, PhoneError> {
    let (Network::WebRtc(network), Some(to)) = (&options.network, &options.call) else {
        return Err(PhoneError::Option("--calls needs --webrtc and a target".into()));
    };
    let until = Instant::now() + options.wait;
    let line = webrtc::Line::open(&options, network, until, &mut |_| {}).await?;
    let summary = webrtc::make_one(&line, &options, network, to).await;
    line.close().await;
    summary
}

/// Least, middle and greatest of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    /// `None` without any figure.
    fn of(figures: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut all: Vec<f64> = figures.collect();
        all.sort_by(f64::total_cmp);
        Some(Spread {
            least: *all.first()?,
            median: *all.get(all.len() / 2)?,
            most: *all.last()?,
        })
    }

    fn json(self) -> Value {
        json!({
            "min": round(self.least, 2),
            "median": round(self.median, 2),
            "max": round(self.most, 2),
        })
    }
}

impl LoadReport {
    /// Sound went both ways in every call.
    pub(super) fn is_success(&self) -> bool {
        !self.0.is_empty() && self.good() == self.0.len()
    }

    fn summaries(&self) -> impl Iterator<Item = &Summary> + Clone {
        self.0.iter().filter_map(|result| result.as_ref().ok())
    }

    fn good(&self) -> usize {
        self.summaries().filter(|summary| summary.both_ways()).count()
    }

    /// Packets received and lost in all calls.
    fn packets(&self) -> (u64, u64) {
        self.summaries().fold((0, 0), |(received, lost), summary| {
            (
                received + summary.report.packets_received,
                lost + summary.report.lost,
            )
        })
    }

    fn loss_percent(&self) -> f64 {
        let (received, lost) = self.packets();
        100.0 * lost as f64 / (received + lost).max(1) as f64
    }

    /// The figures that spread over the calls, with their names and units.
    fn spreads(&self) -> Vec<(&'static str, &'static str, Option<Spread>)> {
        let of = |figure: fn(&Summary) -> f64| Spread::of(self.summaries().map(figure));
        let mut all = vec![
            ("jitter", "ms", of(|s| f64::from(s.report.jitter_us) / 1_000.0)),
            (
                "round trip",
                "ms",
                of(|s| f64::from(s.report.round_trip_us) / 1_000.0),
            ),
            ("MOS", "", of(|s| f64::from(s.report.mos))),
        ];
        let set_ups = self.summaries().filter_map(|summary| summary.set_up.as_ref());
        for (at, (name, _)) in super::SetUp::default().times().into_iter().enumerate() {
            let times = set_ups.clone().filter_map(|set_up| set_up.times()[at].1);
            all.push((name, "ms", Spread::of(times.map(milliseconds))));
        }
        all
    }

    /// The report as `--json` prints it: the spread of the figures, and the report of each call.
    pub(super) fn json(&self) -> Value {
        let calls = self.0.iter().map(|result| match result {
            Ok(summary) => summary.json(),
            Err(error) => error.json(),
        });
        let (received, lost) = self.packets();
        let mut all = json!({
            "success": self.is_success(),
            "calls": self.0.len(),
            "good": self.good(),
            "failed": self.0.len() - self.summaries().count(),
            "packets_received": received,
            "packets_lost": lost,
            "loss_percent": round(self.loss_percent(), 3),
        });
        for (name, unit, spread) in self.spreads() {
            let key = [name, unit].join(" ").trim().to_lowercase().replace(' ', "_");
            all[key] = spread.map_or(Value::Null, Spread::json);
        }
        all["each"] = calls.collect();
        all
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.0.len() - self.summaries().count();
        let (received, lost) = self.packets();
        writeln!(
            f,
            "calls       {}: {} with audio both ways, {failed} failed",
            self.0.len(),
            self.good()
        )?;
        writeln!(
            f,
            "packets     {received} received, {lost} lost ({:.3} %)",
            self.loss_percent()
        )?;
        for (name, unit, spread) in self.spreads() {
            if let Some(Spread { least, median, most }) = spread {
                writeln!(
                    f,
                    "{name:<11} {median:.2} {unit} (median), {least:.2} to {most:.2}"
                )?;
            }
        }
        let verdict = if self.is_success() {
            "audio went both ways in all calls"
        } else {
            "audio did not go both ways in all calls"
        };
        write!(f, "result      {verdict}")
    }
}

#[cfg(test)]
mod tests {
    use media_core::control::Report;
    use session_core::EndedBy;
    use sip_core::message::StatusCode;
    use sip_stack::client::{ClientError, Heard};

    use super::*;

    fn summary(lost: u64, jitter_us: u32) -> Summary {
        let mut heard = Heard::default();
        heard.add(&[5_000; 8_000]);
        Summary {
            code: StatusCode::OK,
            ended_by: EndedBy::Us,
            talked: Duration::from_secs(2),
            digits: String::new(),
            played: true,
            heard: Some(heard),
            report: Report {
                packets_received: 100,
                packets_sent: 100,
                lost,
                jitter_us,
                mos: 4.2,
                ..Report::default()
            },
            set_up: None,
        }
    }

    #[test]
    fn figures_are_those_of_all_calls_and_one_failure_is_no_success() {
        let all = |more: Vec<_>| {
            let two = [Ok(summary(0, 1_000)), Ok(summary(25, 3_000))];
            LoadReport(two.into_iter().chain(more).collect())
        };
        let good = all(Vec::new());
        assert!(good.is_success());
        let json = good.json();
        assert_eq!(
            (&json["packets_lost"], &json["loss_percent"]),
            (&25.into(), &11.111.into())
        );
        assert_eq!(json["jitter_ms"]["max"], 3.0);
        assert_eq!(json["websocket_ms"], Value::Null, "no call says");
        let bad = all(vec![Err(PhoneError::Call(
            "here".into(),
            ClientError::Refused(StatusCode::SERVICE_UNAVAILABLE),
        ))]);
        assert!(!bad.is_success());
        assert_eq!(
            (&bad.json()["failed"], &bad.json()["good"]),
            (&1.into(), &2.into())
        );
        assert!(
            bad.to_string().contains("3: 2 with audio both ways, 1 failed"),
            "{bad}"
        );
        assert!(!LoadReport(Vec::new()).is_success());
    }
}
