//! Queues, staff, pause reasons and dispositions of a file.

use call_engine::acd::{Strategy, Target};

use super::*;

#[test]
fn the_demonstration_has_queues_and_people_who_serve_them() {
    let config = Config::default();
    assert_eq!(
        decide(&config, "9001"),
        Decision::Queue {
            name: "support".into(),
            priority: None
        }
    );
    assert_eq!(config.staff["anna"].roles, [Role::Agent]);
    assert_eq!(
        config.staff["anna"].agent.queues,
        ["support", "sales"].map(|name| Member::of(QueueRef::named(name)))
    );
    assert_eq!(config.staff["sue"].roles, [Role::Supervisor, Role::Admin]);
    assert!(config.staff["sue"].agent.queues.is_empty());
}

#[test]
fn a_trunk_and_a_rule_bring_calls_into_a_queue() {
    let config = parse(
        r#"
        [[users]]
        name = "alice"
        password = "a long secret"
        roles = "agent"
        [[queues]]
        name = "support"
        [[trunks]]
        name = "carrier"
        address = "192.0.2.1"
        [[dial]]
        match = "+4930123"
        from = "carrier"
        queue = "support"
        "#,
    )
    .expect("right");
    let decision = config.plan().decide(&CallRequest::new(
        Origin::Trunk("carrier".into()),
        "+4930123",
        Time::default(),
    ));
    assert_eq!(
        decision,
        Decision::Queue {
            name: "support".into(),
            priority: None
        }
    );
    assert_eq!(config.staff.len(), 1);
}

#[test]
fn queues_and_agents_of_a_file_take_the_place_of_the_demonstration() {
    let config = parse(
        r#"
        [[queues]]
        name = "service"
        display = "Service"
        strategy = "ring-all"
        wrap_up = 5
        max_wait = 300
        alarm_waiting = 3
        alarm_wait = 60
        alarm_service_level = 80
        overflow_number = "100"
        [[users]]
        name = "carla"
        password = "secret"
        queues = "service"
        [[users]]
        name = "dora"
        password = "secret"
        roles = ["agent", "supervisor"]
        [[users]]
        name = "phone"
        password = "secret"
        [[dial]]
        match = "1"
        queue = "service"
        "#,
    )
    .expect("right");
    let queue = &config.queues[0];
    assert_eq!((queue.strategy, queue.wrap_up.as_secs()), (Strategy::RingAll, 5));
    assert_eq!(queue.overflow, Overflow::Number("100".into()));
    let alarms = crate::centre::directory::Directory::of(&config)
        .queue_by_name("service")
        .map(|queue| {
            let alarms = queue.alarms();
            (alarms.waiting, alarms.oldest_s, alarms.service_level)
        });
    assert_eq!(alarms, Some((Some(3), Some(60), Some(0.8))));
    assert_eq!(config.staff["carla"].roles, [Role::Agent]);
    assert_eq!(
        config.staff["dora"].agent.queues,
        [Member::of(QueueRef::named("service"))],
        "all that there are"
    );
    assert!(!config.staff.contains_key("phone"));
    assert_eq!(
        decide(&config, "1"),
        Decision::Queue {
            name: "service".into(),
            priority: None
        }
    );
}

#[test]
fn a_queue_that_is_not_there_is_told_where_it_is_named() {
    let errors = parse(
        r#"
        [[queues]]
        name = "service"
        overflow_queue = "nowhere"
        [[users]]
        name = "carla"
        password = "secret"
        queues = ["sales"]
        roles = ["boss"]
        [[dial]]
        match = "1"
        queue = "sale"
        "#,
    )
    .expect_err("wrong");
    assert_eq!(
        errors,
        [
            "c.toml:4:26: queues.overflow_queue: there is no queue `nowhere`; known: service",
            "c.toml:8:18: users.queues: there is no queue `sales`; known: service",
            "c.toml:9:18: users.roles: `boss` is none of: agent, supervisor, admin",
            "c.toml:12:17: dial.queue: there is no queue `sale`; known: service",
        ]
    );
}

#[test]
fn queues_choose_by_skill_tier_priority_and_hour() {
    let config = parse(
        r#"
        [[queues]]
        name = "service"
        number = "9100"
        strategy = "skill-proficiency"
        requires = { english = 50, "credit cards" = 20 }
        max_tier = 1
        widening = [{ after = 30, max_tier = 3, lower = 10 }, { after = 60, lower = 100 }]
        rate = 2
        priority = 3
        boost = 90
        progress = 7
        max_no_answer = 0
        sticky = 15
        sticky_days = 30
        silent_monitoring = true
        hours = ["mon-fri 08:00-18:00", "sat 10:00-14:00"]
        time_zone = "Europe/Berlin"
        holidays = ["2026-12-25", 2026-12-26]
        closed_number = "100"
        overflow_queue = "night"
        [[queues]]
        name = "night"
        hours = "mon-sun 18:00-08:00"
        closed_queue = "service"
        [[users]]
        name = "carla"
        password = "secret"
        queues = ["night", { name = "service", tier = 2, weight = 5 }]
        skills = { english = 90 }
        order = 4
        offers_in_direct_calls = true
        [[users]]
        name = "bert"
        password = "secret"
        queues = "service"
        order = 5
        [[pause_reasons]]
        code = "lunch"
        label = "Lunch break"
        [[pause_reasons]]
        code = "out"
        [[dispositions]]
        code = "sold"
        label = "Sold"
        [[dial]]
        match = "1"
        queue = "service"
        priority = 9
        "#,
    )
    .expect("right");
    let directory = crate::centre::directory::Directory::of(&config);
    let queue = directory.queue_by_name("service").expect("a queue");
    let engine = &queue.config;
    assert_eq!(
        engine.requires.iter().map(|r| r.level).collect::<Vec<_>>(),
        [20, 50]
    );
    assert_eq!(
        engine
            .widening
            .iter()
            .map(|step| (step.after.as_secs(), step.max_tier, step.lower))
            .collect::<Vec<_>>(),
        [(30, 3, 10), (60, u8::MAX, 100)]
    );
    assert_eq!((engine.max_tier, engine.rate, engine.boost.as_secs()), (1, 2, 90));
    assert_eq!((engine.progress.as_secs(), engine.max_no_answer), (7, 0));
    assert!(queue.settings.silent_monitoring);
    assert_eq!(
        (
            engine.sticky_wait.as_secs(),
            queue.settings.remembered().map(|s| s.as_secs())
        ),
        (15, Some(30 * 86_400))
    );
    assert_eq!(queue.settings.priority, 3);
    let hours = engine.hours.as_ref().expect("hours");
    assert_eq!((hours.week.len(), hours.closed.len()), (6, 2));
    let night = directory.queue_by_name("night").expect("a queue").config.id;
    assert_eq!(engine.overflow, Target::Queue(night));
    assert_eq!(engine.closed, Some(Target::Number("100".into())));
    let carla = directory
        .person("carla")
        .and_then(|p| p.agent.clone())
        .expect("agent");
    assert_eq!(
        carla
            .queues
            .iter()
            .map(|m| (m.queue, m.tier, m.weight))
            .collect::<Vec<_>>(),
        [(night, 0, 1), (engine.id, 2, 5)]
    );
    assert_eq!(carla.skills[0].level, 90);
    assert_eq!(
        engine
            .requires
            .iter()
            .filter(|r| r.skill == carla.skills[0].skill)
            .count(),
        1,
        "what the queue calls english is what the agent has"
    );
    assert!(carla.acd_on_direct);
    let bert = directory
        .person("bert")
        .and_then(|p| p.agent.clone())
        .expect("agent");
    assert!(carla.order < bert.order, "by order before name");
    assert_eq!(config.pause_reasons.len(), 2);
    assert_eq!(config.pause_reasons[1].label, "out");
    assert_eq!(config.dispositions[0].label, "Sold");
    let service = |priority| Decision::Queue {
        name: "service".into(),
        priority,
    };
    assert_eq!(decide(&config, "1"), service(Some(9)));
    assert_eq!(decide(&config, "9100"), service(None));
    assert_eq!(decide(&config, "service"), service(None));
}

#[test]
fn every_mistake_in_the_call_centre_is_told_with_what_would_be_right() {
    let errors = parse(
        r#"
[[queues]]
name = "service"
number = "nine"
requires = { english = 101, "a/b" = 5 }
max_tier = 10
widening = [{ after = 60 }, { after = 60, lower = 101, up = 1 }, { lower = 1 }]
rate = 0
priority = 10
boost = 3601
progress = 0
max_no_answer = 11
sticky = 0
sticky_days = 91
hours = ["mon-fri 8-18", 7]
time_zone = "Europe/Berlyn"
holidays = ["25.12.2026"]
closed_queue = "nowhere"
[[queues]]
name = "sales"
number = "9001"
closed_queue = "service"
closed_number = "1"
requires = ["english"]
[[queues]]
name = "night"
number = "9001"
[[users]]
name = "carla"
password = "x"
queues = [{ name = "service", tier = 10, weight = 0 }, "service", { tier = 1 }, 5]
skills = { english = 0 }
order = 65536
offers_in_direct_calls = "yes"
[[users]]
name = "dora"
password = "x"
roles = "supervisor"
skills = { english = 5 }
[[pause_reasons]]
code = "Lunch break"
[[dispositions]]
code = "sold"
[[dispositions]]
code = "sold"
[[dispositions]]
label = "Sold"
[[dial]]
match = "1"
reject = 486
priority = 1
[[dial]]
match = "2"
queue = "sales"
priority = 10
"#,
    )
    .expect_err("many mistakes");
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn a_queue_that_the_api_would_refuse_is_a_warning_in_a_file() {
    let config = parse(
        r#"
[[queues]]
name = "Support Team"
display = "a\tb"
overflow_queue = "Support Team"
[[users]]
name = "carla"
password = "a long secret"
[[dial]]
match = "1"
queue = "Support Team"
"#,
    )
    .expect("right");
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "c.toml:3:8: warning: queues.name: 1 to 32 of a-z, 0-9, ., - and _, a letter or digit first",
            "c.toml:4:11: warning: queues.display: no control characters",
            "c.toml:5:18: warning: queues.overflow_queue: that is the queue itself",
        ]
    );
    assert_eq!(config.queues[0].name, "Support Team");
}

/// The table of a queue's settings, as the documentation has it.
fn table_of_queue_settings() -> String {
    let mut table = "| `[[queues]]` | default | values | meaning |\n|---|---|---|---|\n".to_owned();
    for setting in Queue::described() {
        let keys = setting.keys.iter().map(|key| format!("`{key}`"));
        let keys = keys.collect::<Vec<_>>().join(", ");
        let (default, values, meaning) = (setting.default, setting.values, setting.meaning);
        let example = setting.example.filter(|example| !default.contains(example));
        let example = example.map_or_else(String::new, |example| format!(" Example: `{example}`"));
        table += &format!("| {keys} | {default} | {values} | {meaning}{example} |\n");
    }
    table
}

#[test]
fn the_documentation_has_every_setting_of_a_queue() -> std::io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFIGURATION.md");
    let text = std::fs::read_to_string(path)?;
    let begin = text.find("| `[[queues]]` |").expect("a table of queues");
    let length = text[begin..].find("\n\n").expect("an end of the table") + 1;
    let table = table_of_queue_settings();
    if std::env::var_os("CORDBOARD_WRITE_CONFIGURATION").is_some() {
        let whole = format!("{}{table}{}", &text[..begin], &text[begin + length..]);
        std::fs::write(path, whole)?;
    } else {
        assert_eq!(
            text[begin..begin + length],
            table,
            "CORDBOARD_WRITE_CONFIGURATION=1 cargo nextest run -E 'test(the_documentation_has)' writes it anew"
        );
    }
    Ok(())
}
