//! Page of metrics that are read when somebody asks for it, written by the Prometheus client library in the text exposition format 0.0.4.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Metric, Registry};

/// First part of the name of each family, before an underscore.
const PREFIX: &str = "cordboard";

/// Families in their order.
pub(super) struct Page {
    registry: Registry,
    read: Read,
}

/// Families whose values are read for this page.
#[derive(Debug, Default)]
struct Read(Vec<Family>);

#[derive(Debug)]
struct Family {
    /// Without the prefix, and for a counter without `_total`.
    name: &'static str,
    kind: MetricType,
    help: &'static str,
    samples: Vec<(Labels, Value)>,
}

type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
enum Value {
    Number(f64),
    Histogram {
        sum: f64,
        count: u64,
        /// Upper bounds, each with the number of values above the one before.
        buckets: Vec<(f64, u64)>,
    },
}

impl Default for Page {
    fn default() -> Page {
        Page {
            registry: Registry::with_prefix(PREFIX),
            read: Read::default(),
        }
    }
}

impl Page {
    /// Begins a family of values that go up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) {
        self.begin(name, MetricType::Gauge, help);
    }

    /// Begins a family of counts since the start; its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) {
        let stem = name.strip_suffix("_total");
        debug_assert!(stem.is_some(), "{name}");
        self.begin(stem.unwrap_or(name), MetricType::Counter, help);
    }

    /// Begins a family of histograms.
    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str) {
        self.begin(name, MetricType::Histogram, help);
    }

    fn begin(&mut self, name: &'static str, kind: MetricType, help: &'static str) {
        self.read.0.push(Family {
            name,
            kind,
            help,
            samples: Vec::new(),
        });
    }

    /// Adds a gauge or counter to the family that was begun last.
    pub(super) fn sample(&mut self, labels: &[(&'static str, &str)], value: f64) {
        self.add(labels, Value::Number(value));
    }

    /// Adds a histogram to the family that was begun last: for each upper bound the number of values that are not above it.
    pub(super) fn distribution(
        &mut self,
        labels: &[(&'static str, &str)],
        (sum, count): (f64, u64),
        cumulative: impl Iterator<Item = (f64, u64)>,
    ) {
        let mut below = 0;
        let buckets = cumulative.map(|(bound, count)| (bound, count - std::mem::replace(&mut below, count)));
        let buckets = buckets.collect();
        self.add(labels, Value::Histogram { sum, count, buckets });
    }

    fn add(&mut self, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels
            .iter()
            .map(|(name, of)| (*name, (*of).to_owned()))
            .collect();
        debug_assert!(!self.read.0.is_empty(), "a sample without a family");
        if let Some(family) = self.read.0.last_mut() {
            family.samples.push((labels, value));
        }
    }

    /// Adds a family that counts by itself. `help` has no full stop; the library sets one.
    pub(super) fn register(&mut self, name: &'static str, help: &'static str, metric: impl Metric) {
        self.registry.register(name, help, metric);
    }

    /// The page as text.
    pub(super) fn into_text(mut self) -> String {
        self.registry.register_collector(Box::new(self.read));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }
}

impl Collector for Read {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, family.kind)?;
            for (labels, value) in &family.samples {
                if labels.is_empty() {
                    value.write(&mut metric, family.kind)?;
                } else {
                    value.write(&mut metric.encode_family(labels)?, family.kind)?;
                }
            }
        }
        Ok(())
    }
}

impl Value {
    fn write(
        &self,
        metric: &mut prometheus_client::encoding::MetricEncoder<'_>,
        kind: MetricType,
    ) -> fmt::Result {
        use prometheus_client::encoding::NoLabelSet;
        match self {
            // Counts are written as whole numbers.
            Value::Number(value) => match (kind, value.fract() == 0.0) {
                (MetricType::Counter, true) => {
                    metric.encode_counter::<NoLabelSet, _, f64>(&(*value as u64), None)
                }
                (MetricType::Counter, false) => metric.encode_counter::<NoLabelSet, _, f64>(value, None),
                (_, true) => metric.encode_gauge(&(*value as i64)),
                (_, false) => metric.encode_gauge(value),
            },
            Value::Histogram { sum, count, buckets } => {
                metric.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let mut page = Page::default();
        page.gauge("agents", "Agents in each state.");
        page.sample(&[("state", "a \"quoted\"\\\nword")], 2.0);
        page.counter("calls_total", "Calls.");
        page.sample(&[], 7.0);
        page.sample(&[("queue", "s")], 0.25);
        page.histogram("wait_seconds", "Waits.");
        let bounds = [(0.5, 1), (1.0, 1), (300.0, 4)];
        page.distribution(&[("outcome", "lost")], (12.5, 5), bounds.into_iter());
        page.distribution(&[], (0.0, 0), [].into_iter());
        page.gauge("bans", "Bans.");
        assert_eq!(
            page.into_text(),
            "# HELP cordboard_agents Agents in each state.\n\
             # TYPE cordboard_agents gauge\n\
             cordboard_agents{state=\"a \\\"quoted\\\"\\\\\\nword\"} 2\n\
             # HELP cordboard_calls_total Calls.\n\
             # TYPE cordboard_calls_total counter\n\
             cordboard_calls_total 7\n\
             cordboard_calls_total{queue=\"s\"} 0.25\n\
             # HELP cordboard_wait_seconds Waits.\n\
             # TYPE cordboard_wait_seconds histogram\n\
             cordboard_wait_seconds_bucket{outcome=\"lost\",le=\"0.5\"} 1\n\
             cordboard_wait_seconds_bucket{outcome=\"lost\",le=\"1\"} 1\n\
             cordboard_wait_seconds_bucket{outcome=\"lost\",le=\"300\"} 4\n\
             cordboard_wait_seconds_bucket{outcome=\"lost\",le=\"+Inf\"} 5\n\
             cordboard_wait_seconds_sum{outcome=\"lost\"} 12.5\n\
             cordboard_wait_seconds_count{outcome=\"lost\"} 5\n\
             cordboard_wait_seconds_bucket{le=\"+Inf\"} 0\n\
             cordboard_wait_seconds_sum 0.0\n\
             cordboard_wait_seconds_count 0\n\
             # HELP cordboard_bans Bans.\n\
             # TYPE cordboard_bans gauge\n"
        );
    }
}
