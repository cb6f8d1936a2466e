//! No bytes and no edits of a history make its parser or its checker panic, hang, or blame the wrong line.
#![forbid(unsafe_code)]

use std::time::Duration;

use optimist_tests::fuzz::histories;

/// For the corpus, which takes a moment, and then random bytes. A fuzzer is given a time of its own.
const TIME: Duration = Duration::from_secs(2);

#[test]
fn any_bytes_are_a_history_or_an_error_with_its_line() {
    bolero::check!(name = "history_bytes").with_test_time(TIME).for_each(histories::read);
}

#[test]
fn an_edited_history_is_checked_or_refused_with_the_line() {
    bolero::check!(name = "history_edits").with_test_time(TIME).with_max_len(600).for_each(histories::edit);
}
