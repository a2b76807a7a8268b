//! The store on SQLite and on PostgreSQL: the same cases on both.

mod backend;
mod calls;
mod crash;
mod log;
mod messages;
mod outage;
mod persistence;
mod schema;
mod table;

use backend::Backend;

/// Runs cases, each with a database of its own, on both.
macro_rules! on_both {
    ($($module:ident::$case:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $case() {
                crate::backend::block_on(crate::$module::$case(crate::Backend::sqlite()));
            })*
        }
        mod postgres {
            $(#[test]
            fn $case() {
                crate::backend::block_on(crate::$module::$case(crate::Backend::postgres()));
            })*
        }
    };
}

on_both! {
    log::entries_come_back_in_order,
    log::a_gap_or_a_duplicate_is_refused,
    log::an_older_epoch_is_fenced,
    log::pruning_and_snapshots,
    log::streams_share_commits,
    log::close_writes_what_waits,
    log::a_full_backlog_is_told,
    log::older_schemas_are_brought_up_to_date,
    schema::a_database_without_versions_of_sqlx_keeps_everything,
    schema::a_database_of_each_step_is_brought_up_to_date,
    schema::a_newer_database_is_refused,
    schema::a_database_with_another_schema_is_refused,
    schema::two_gateways_may_open_a_new_database_at_once,
    table::random_changes_do_what_a_map_does,
    table::names_and_versions_are_kept_apart,
    table::numbers_are_never_given_twice,
    calls::an_insert_is_idempotent,
    calls::pages_and_filters,
    persistence::kills_cost_no_number_and_no_record_and_the_log_is_cut,
    persistence::a_log_without_slots_is_folded_from_its_beginning,
    persistence::answers_since_the_snapshot_are_in_time_as_the_queue_has_it,
    persistence::direct_calls_that_a_kill_ends_are_recorded_once,
    persistence::whoever_was_replaced_writes_no_numbers,
    messages::a_kill_loses_no_message_that_was_promised,
    crash::a_killed_writer_loses_nothing_that_it_reported,
    outage::a_database_that_works_is_never_said_to_be_down,
}
