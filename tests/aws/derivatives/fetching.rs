//! Prebuilt zips from a bucket: pushed by one project, fetched once by another.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::painting::Painting;
use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::{Fault, Proxy};
use crate::support::uv::python;

/// A project with the zip `colours.zip`, which it shares in a bucket of its own.
fn sharing(bucket: &str) -> Option<TestProject> {
    let project = TestProject::without_functions(Emulator::shared()?.account());
    let script = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z: z.writestr('python/colours.py', \
                  'VERSION = \"7.0\"\\n')";
    let made =
        Command::new("python3").args(["-c", script]).arg(project.path("colours.zip")).status().unwrap();
    assert!(made.success());
    let derivative = "[derivatives.colours]\nzip = \"colours.zip\"\n";
    project.write("project.toml", &format!("{MANIFEST}[artifacts]\nbucket = \"{bucket}\"\n{derivative}"));
    let place = json!({"LocationConstraint": "eu-west-1"});
    let request = json!({"Bucket": bucket, "CreateBucketConfiguration": place});
    Live::of(&project, "dev").call("s3", "create_bucket", request);
    Some(project)
}

/// A project of the same account whose function `paint` has the derivative `colours` from an address.
fn fetching(from: &TestProject, address: &str) -> TestProject {
    let project = TestProject::without_functions(from.account().shared());
    project.set_variable("MDO_PYTHON", python().program.display().to_string());
    Painting::settings(&project, &format!("[derivatives.colours]\nzip = \"{address}\"\n"));
    Painting::function(&project, "paint", &["colours"]);
    project
}

#[test]
fn what_one_project_pushes_another_deploys_and_fetches_once() {
    let Some(shared) = sharing("shop-fetched") else { return };
    let pushed = shared.mdo("derivative push colours").exits(0);
    let address = pushed.stdout.lines().next().unwrap().to_owned();
    assert!(address.starts_with("s3://shop-fetched/lambda/python_3."), "{address}");

    let project = fetching(&shared, &address);
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    let unpinned = project.mdo("plan").through(&proxy).exits(2);
    unpinned.complains(&format!(
        "error: derivative colours: {address} is from elsewhere and has no `sha256`\n  --> project.toml:4:7\n  help: \
         mdo derivative pin colours\n"
    ));
    assert_eq!(proxy.recording().count("GetObject"), 0);
    project.mdo("derivative pin colours").through(&proxy).succeeds().says("pinned colours to sha256 ");
    assert_eq!(proxy.recording().count("GetObject"), 1);

    proxy.forget();
    project.mdo("deploy --yes").through(&proxy).exits(0);
    assert_eq!(proxy.recording().count("GetObject"), 0, "it is here already");
    assert_eq!(Live::of(&project, "dev").echo("paint"), Painting::answer("7.0", 1));
    // Another machine: the layer is live, and so nothing is fetched.
    project.remove(".mdo");
    project.is_settled("");
    proxy.forget();
    project.mdo("plan --local").through(&proxy).exits(0);
    assert_eq!(proxy.recording().count("GetObject"), 1);
    // What is here needs no credentials.
    project.mdo("plan --local").without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY").exits(0);
}

#[test]
fn a_bucket_that_gives_nothing_is_told_with_the_way_out() {
    let Some(shared) = sharing("shop-empty") else { return };
    let project = fetching(&shared, "s3://shop-empty/absent.zip");
    let pin = || project.mdo("derivative pin colours");
    let output = pin().exits(1);
    output.says("derivative colours: cannot fetch s3://shop-empty/absent.zip: ").says("NoSuchKey");
    output.says("help: check the address: the names of the bucket and of the object in it");

    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    proxy.fail_next("GetObject", 1, Fault::error(403, "AccessDenied", "Access Denied"));
    let denied = pin().through(&proxy).exits(4);
    denied.says("`s3:GetObject` on s3://shop-empty/absent.zip is not allowed");
    denied
        .says("the credentials are only needed to fetch this zip once: afterwards it is in .mdo/derivatives");

    let nobody = pin().without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY").exits(4);
    nobody.says("cannot fetch s3://shop-empty/absent.zip: no AWS credentials were found");

    Painting::settings(&project, "[derivatives.colours]\nzip = \"s3://shop-nowhere/absent.zip\"\n");
    pin().exits(1).says("NoSuchBucket");
}
