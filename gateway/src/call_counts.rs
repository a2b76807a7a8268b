//! Counts of all calls, direct or queued, for metrics: by direction and outcome, and the time until they were answered.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use session_core::{CallRecord, Cause};
use sip_core::message::StatusCode;

/// Upper bounds of set-up times, seconds.
const SETUP_S: [f64; 12] = [0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 180.0];

type Labels = Vec<(&'static str, &'static str)>;
type Ended = Family<Labels, Counter>;
type Setup = Family<Labels, Histogram, fn() -> Histogram>;

/// Counts since the start; clones count together.
#[derive(Clone, Debug)]
pub struct CallCounts {
    ended: Ended,
    setup: Setup,
}

impl Default for CallCounts {
    fn default() -> CallCounts {
        CallCounts {
            ended: Family::default(),
            setup: Family::new_with_constructor(|| Histogram::new(SETUP_S)),
        }
    }
}

impl CallCounts {
    /// Counts a call that is over. `direction` as in the log.
    pub(crate) fn count(&self, direction: &'static str, record: &CallRecord) {
        let direction = ("direction", direction);
        let labels = vec![direction, ("outcome", outcome(record))];
        self.ended.get_or_create(&labels).inc();
        if let Some(answered) = record.answered {
            let took = answered.since(record.began).as_secs_f64();
            self.setup.get_or_create(&vec![direction]).observe(took);
        }
    }

    /// The families, each to be registered under a name and with a description.
    pub(crate) fn families(&self) -> (Ended, Setup) {
        (self.ended.clone(), self.setup.clone())
    }
}

/// Outcome of a call, in a word.
fn outcome(record: &CallRecord) -> &'static str {
    match (record.answered, record.cause) {
        (Some(_), Cause::Away | Cause::Lost | Cause::Failed) => "lost",
        (Some(_), _) => "answered",
        (None, Cause::Caller) => "abandoned",
        (None, _) if matches!(record.code, StatusCode::BUSY_HERE | StatusCode::BUSY_EVERYWHERE) => "busy",
        (None, _)
            if matches!(
                record.code,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TEMPORARILY_UNAVAILABLE
            ) =>
        {
            "no-answer"
        }
        (None, _) if record.code >= StatusCode::SERVER_INTERNAL_ERROR => "failed",
        (None, _) => "refused",
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text;
    use prometheus_client::registry::Registry;
    use sans_io::Time;
    use session_core::SessionId;

    use super::*;

    fn record(answered: Option<u64>, cause: Cause, code: StatusCode) -> CallRecord {
        CallRecord {
            session: SessionId(1),
            source: None,
            from: String::new(),
            to: String::new(),
            forwarded: Vec::new(),
            began: Time::from_secs(100),
            answered: answered.map(Time::from_secs),
            ended: Time::from_secs(200),
            cause,
            code,
            fault: None,
            legs: Vec::new(),
        }
    }

    #[test]
    fn calls_are_counted_by_direction_and_outcome() {
        let counts = CallCounts::default();
        counts.count("inbound", &record(Some(104), Cause::Callee, StatusCode::OK));
        counts.count("inbound", &record(Some(101), Cause::Caller, StatusCode::OK));
        counts.count("inbound", &record(Some(101), Cause::Lost, StatusCode::OK));
        counts.count(
            "inbound",
            &record(None, Cause::Caller, StatusCode::REQUEST_TERMINATED),
        );
        counts.count("outbound", &record(None, Cause::Refused, StatusCode::BUSY_HERE));
        counts.count(
            "outbound",
            &record(None, Cause::Refused, StatusCode::TEMPORARILY_UNAVAILABLE),
        );
        counts.count("outbound", &record(None, Cause::Refused, StatusCode::NOT_FOUND));
        counts.count(
            "internal",
            &record(None, Cause::Failed, StatusCode::SERVICE_UNAVAILABLE),
        );
        let mut registry = Registry::default();
        let (ended, setup) = counts.families();
        registry.register("calls", "Calls", ended);
        registry.register("setup_seconds", "Times", setup);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).expect("written");
        for line in [
            "calls_total{direction=\"inbound\",outcome=\"answered\"} 2",
            "calls_total{direction=\"inbound\",outcome=\"lost\"} 1",
            "calls_total{direction=\"inbound\",outcome=\"abandoned\"} 1",
            "calls_total{direction=\"outbound\",outcome=\"busy\"} 1",
            "calls_total{direction=\"outbound\",outcome=\"no-answer\"} 1",
            "calls_total{direction=\"outbound\",outcome=\"refused\"} 1",
            "calls_total{direction=\"internal\",outcome=\"failed\"} 1",
            "setup_seconds_bucket{direction=\"inbound\",le=\"0.5\"} 0",
            "setup_seconds_bucket{direction=\"inbound\",le=\"1\"} 2",
            "setup_seconds_bucket{direction=\"inbound\",le=\"5\"} 3",
            "setup_seconds_count{direction=\"inbound\"} 3",
        ] {
            assert!(
                text.lines().any(|known| known == line),
                "{line} is not in\n{text}"
            );
        }
        assert!(
            !text.contains("setup_seconds_count{direction=\"outbound\"}"),
            "{text}"
        );
    }
}
