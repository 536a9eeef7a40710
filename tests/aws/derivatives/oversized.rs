//! Functions that are too large with what is live of their derivatives, where nothing of these is on this machine.

use super::layers::Layers;
use super::painting::Painting;
use super::publishing::deployed;
use crate::live::text;

#[test]
fn a_live_derivative_counts_by_what_it_says_it_takes_though_it_is_not_here() {
    let Some((project, proxy)) = deployed() else { return };
    let (layers, layer) = (Layers::of(&project), Painting::layer("colours"));
    let description = text(&layers.versions(&layer)[0]["Description"]);
    let (before, after) = description.split_once(" raw=").unwrap();
    let size = after.split_once(' ').unwrap().1;
    let forged = |raw: u64| layers.publish(&layer, &format!("{before} raw={raw} {size}"));
    project.remove(".mdo/derivatives");
    project.set_variable("MDO_UV", "/bin/false");

    forged(262_144_000);
    for command in ["plan", "deploy --yes"] {
        proxy.forget();
        let refused = project.mdo(command).through(&proxy).exits(2);
        refused.says("error: function paint: 250.0 MB unzipped, over Lambda's 250.0 MB; largest: derivative colours 250.0 MB, function paint ");
        refused.says("help: want fewer packages, or leave files out with `exclude` in project.toml");
        assert_eq!(proxy.recording().writes().len(), 0, "{:#?}", proxy.recording().names());
    }
    forged(261_000_000);
    project.mdo("deploy --yes").succeeds();
}
