use sip_core::flow::Transport;
use sip_stack::transport::Seats;

use super::*;

#[test]
fn every_sample_has_a_family_and_a_number() {
    let mut page = Page::default();
    let (http, sip) = (Crowd::new(Seats::new(8)), Crowd::new(Seats::new(9)));
    let _place = http.admit(None);
    connections(&mut page, &[("http", &http), ("sip", &sip)]);
    let counters = TransportCounters::default();
    counters.of(Transport::Udp).dropped_full.store(7, Relaxed);
    transports(&mut page, &counters);
    let threads = [MediaCounters::default(), MediaCounters::default()];
    threads[1].bind_failed.store(3, Relaxed);
    threads[1].busy_us.store(1_500_000, Relaxed);
    threads[1].lane_full.store(2, Relaxed);
    threads[1].lateness.buckets[0].store(4, Relaxed);
    threads[1].lateness.buckets[LATENESS_BOUNDS.len()].store(1, Relaxed);
    threads[1].lateness.sum_us.store(250_000, Relaxed);
    media(&mut page, threads.iter());
    let dns = dns::Counters::default();
    dns.unanswered.store(4, Relaxed);
    names(&mut page, &dns);
    let mut stats = Stats {
        legs: 3,
        browser_legs: 2,
        ..Stats::default()
    };
    stats.totals.retransmissions = 8;
    stats.excess.over_quota = 5;
    stats.totals.refused = 6;
    stats.messages.kept = 7;
    signalling(&mut page, &stats);
    let page = page.into_text();
    for line in [
        "cordboard_connections{kind=\"http\"} 1",
        "cordboard_connections_limit{kind=\"sip\"} 9",
        "cordboard_sip_dropped_full_total{transport=\"udp\"} 7",
        "cordboard_sip_received_total{transport=\"wss\"} 0",
        "cordboard_media_bind_failed_total{thread=\"1\"} 3",
        "cordboard_media_busy_seconds_total{thread=\"1\"} 1.5",
        "cordboard_media_lane_full_total{thread=\"1\"} 2",
        "cordboard_media_lateness_seconds_bucket{thread=\"1\",le=\"+Inf\"} 5",
        "cordboard_media_lateness_seconds_sum{thread=\"1\"} 0.25",
        "cordboard_calls_refused_total{reason=\"quota\"} 5",
        "cordboard_sip_turned_away_total 6",
        "cordboard_sip_watches{package=\"dialog\"} 0",
        "cordboard_messages_total{outcome=\"kept\"} 7",
        "cordboard_messages_waiting 0",
        "cordboard_sip_retransmissions_total 8",
        "cordboard_dns_unanswered_total 4",
        "cordboard_legs_by_kind{kind=\"browser\"} 2",
        "cordboard_legs_by_kind{kind=\"phone\"} 1",
    ] {
        assert!(
            page.lines().any(|known| known == line),
            "{line} is not in\n{}",
            page
        );
    }
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part));
        let is_family = |name: &str| page.contains(&format!("# TYPE {name} "));
        assert!(is_family(name) || histogram.is_some_and(is_family), "{line}");
    }
}
