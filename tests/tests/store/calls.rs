//! Call records.

use cordboard::store::{CallCursor, CallFilter, CallRecord, StoreError};

use crate::Backend;

fn call(n: u64) -> CallRecord {
    CallRecord {
        id: format!("call_{n:03}"),
        version: 1,
        // Some began at the same moment.
        started_micros: 1000 + n / 3,
        queue: (!n.is_multiple_of(4)).then(|| format!("queue_{}", n % 2)),
        agents: (1..=n % 3).map(|agent| format!("agent_{agent}")).collect(),
        caller: format!("+49{}%_{n}", n % 3),
        disposition: None,
        notes: String::new(),
        body: format!("{{\"n\":{n}}}"),
    }
}

pub(crate) async fn an_insert_is_idempotent(backend: Backend) {
    let calls = backend.open().await.calls();
    assert_eq!(calls.insert(&[call(1)]).await, Ok(vec![true]));
    assert_eq!(
        calls.annotate("call_001", Some(1), Some("sold"), "häppy").await,
        Ok(2)
    );
    assert_eq!(calls.insert(&[call(1), call(3)]).await, Ok(vec![false, true]));
    let mut wanted = call(1);
    wanted.version = 2;
    wanted.disposition = Some("sold".into());
    wanted.notes = "häppy".into();
    assert_eq!(calls.get("call_001").await, Ok(Some(wanted)));
    let stale = calls.annotate("call_001", Some(1), None, "").await;
    assert_eq!(stale, Err(StoreError::Conflict));
    assert_eq!(calls.annotate("call_001", None, None, "").await, Ok(3));
    assert_eq!(
        calls.annotate("call_002", None, None, "").await,
        Err(StoreError::NotFound)
    );
    assert_eq!(calls.get("call_002").await, Ok(None));
}

pub(crate) async fn pages_and_filters(backend: Backend) {
    let calls = backend.open().await.calls();
    let mut all: Vec<CallRecord> = (0..60).map(call).collect();
    for call in &all {
        calls.insert(std::slice::from_ref(call)).await.expect("kept");
    }
    for n in (0..60).step_by(7) {
        calls
            .annotate(&all[n].id, None, Some("sold"), "")
            .await
            .expect("changed");
        all[n].version = 2;
        all[n].disposition = Some("sold".into());
    }
    all.sort_by(|a, b| (b.started_micros, &b.id).cmp(&(a.started_micros, &a.id)));
    let text = |text: &str| Some(text.to_owned());
    let none = CallFilter::default;
    let filters = [
        none(),
        CallFilter {
            from_micros: Some(1005),
            to_micros: Some(1009),
            ..none()
        },
        CallFilter {
            queue: text("queue_1"),
            ..none()
        },
        CallFilter {
            agent: text("agent_1"),
            ..none()
        },
        CallFilter {
            caller: text("+491"),
            ..none()
        },
        CallFilter {
            caller: text("+491%_1"),
            ..none()
        },
        CallFilter {
            caller: text("_1"),
            ..none()
        },
        CallFilter {
            agent: text("agent_2"),
            ..none()
        },
        CallFilter {
            disposition: text("sold"),
            ..none()
        },
        CallFilter {
            queue: text("queue_0"),
            agent: text("agent_1"),
            caller: text("+49"),
            ..none()
        },
    ];
    for filter in filters {
        let wanted: Vec<&CallRecord> = all.iter().filter(|call| matches(&filter, call)).collect();
        assert!(!wanted.is_empty(), "{filter:?} finds nothing");
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = calls.list(&filter, after.as_ref(), 7).await.expect("a page");
            let Some(last) = page.last() else { break };
            after = Some(CallCursor {
                started_micros: last.started_micros,
                id: last.id.clone(),
            });
            found.extend(page);
        }
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{filter:?}");
    }
}

fn matches(filter: &CallFilter, call: &CallRecord) -> bool {
    let same = |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
    filter.from_micros.is_none_or(|from| call.started_micros >= from)
        && filter.to_micros.is_none_or(|to| call.started_micros < to)
        && same(&filter.queue, &call.queue)
        && filter
            .agent
            .as_ref()
            .is_none_or(|agent| call.agents.contains(agent))
        && same(&filter.disposition, &call.disposition)
        && filter
            .caller
            .as_ref()
            .is_none_or(|part| call.caller.contains(part.as_str()))
}
