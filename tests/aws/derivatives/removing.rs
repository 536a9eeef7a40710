//! `mdo destroy`: layers go with the last stage, and only those that mdo has published.

use super::layers::Layers;
use super::painting::Painting;
use super::publishing::deployed;

#[test]
fn layers_stay_while_another_stage_has_them_and_go_with_the_last_one() {
    let Some((project, _)) = deployed() else { return };
    Painting::wants(&project, "colours", "colours==2.0");
    project.deploys("");
    project.mdo("deploy --stage prod").exits(0);
    let (layers, layer) = (Layers::of(&project), Painting::layer("colours"));
    let foreign = Painting::layer("tints");
    layers.publish(&foreign, "tints, by hand");
    layers.publish(&layer, "an own edition, by hand");
    layers.publish("shop_colours", "mdo of another kind");
    project.mdo("destroy --yes").succeeds();
    assert_eq!(layers.numbers(&layer), [3, 2, 1]);
    project.is_settled("--stage prod");

    project.mdo("destroy --yes --stage prod").succeeds().says(&format!("- derivative  {layer}"));
    assert_eq!(layers.names(), ["shop_colours".to_owned(), layer.clone(), foreign]);
    assert_eq!(layers.numbers(&layer), [3], "what bears no record of mdo's is not mdo's");
    project.mdo("destroy --yes").succeeds().says("nothing to destroy");
}
