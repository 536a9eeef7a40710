//! Autoscaling on moto, which checks what it is asked for.

use mdo_model::project::Tasks;

use super::harness::{Hosted, PLAIN};
use crate::hosted::scaling;

#[tokio::test]
async fn tasks_scale_by_the_processor_between_two_numbers_and_stop_doing_so() {
    let Some(hosted) = Hosted::fresh() else { return };
    let Some(_moto) = hosted.with_moto() else { return };
    let at = hosted.at("prod", PLAIN).await;
    let (aws, names) = (&at.provider.aws, &at.provider.names);
    assert_eq!(scaling::observe(aws, names).await.expect("an answer"), None);
    for tasks in [Tasks { min: 2, max: 10, cpu: Some(60) }, Tasks { min: 1, max: 4, cpu: Some(75) }] {
        scaling::put(aws, names, tasks).await.expect("scaling");
        assert_eq!(scaling::observe(aws, names).await.expect("an answer"), Some(tasks));
    }
    scaling::put(aws, names, Tasks { min: 2, max: 2, cpu: None }).await.expect("no scaling");
    assert_eq!(scaling::observe(aws, names).await.expect("an answer"), None);
}
