//! Packages above Lambda's limit for direct uploads.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::live::{Live, items};
use crate::policy::Watch;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::{Fault, Proxy};

const BUCKET: &str = "[artifacts]\nbucket = \"shop-artifacts\"\nprefix = \"mdo\"\n";

/// A project whose function takes 52 MB, which cannot be compressed.
fn heavy() -> Option<TestProject> {
    let project = TestProject::with_echo(Emulator::shared()?.account());
    let random = std::fs::File::open("/dev/urandom").unwrap();
    let mut model = std::fs::File::create(project.path("functions/echo/model.bin")).unwrap();
    std::io::copy(&mut std::io::Read::take(random, 52 * 1024 * 1024), &mut model).unwrap();
    Some(project)
}

#[test]
fn a_large_package_goes_through_the_projects_bucket_once() {
    let Some(project) = heavy() else { return };
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    let output = project.mdo("deploy").through(&proxy).exits(2);
    output
        .says("over the 50.0 MB that Lambda takes directly; largest: model.bin 52.0 MB")
        .says("[artifacts]");
    assert_eq!(proxy.recording().writes().len(), 0);

    project.write("project.toml", &format!("{MANIFEST}{BUCKET}"));
    let output = project.mdo("deploy").through(&proxy).exits(5);
    output.says("NoSuchBucket").says("create the bucket");

    let live = Live::of(&project, "dev");
    let place = json!({"LocationConstraint": "eu-west-1"});
    let bucket = json!({"Bucket": "shop-artifacts", "CreateBucketConfiguration": place});
    live.call("s3", "create_bucket", bucket);
    proxy.fail_next("UploadPart", 1, Fault::error(400, "InvalidPart", "told to fail"));
    project.mdo("deploy").through(&proxy).exits(5).says("told to fail");
    let uploads = live.call("s3", "list_multipart_uploads", json!({"Bucket": "shop-artifacts"}));
    assert_eq!(items(&uploads["Uploads"]), Vec::<serde_json::Value>::new(), "nothing is left to be paid for");

    proxy.forget();
    project.mdo("deploy").through(&proxy).exits(0);
    assert!(proxy.recording().count("UploadPart") > 1);
    assert_eq!(live.echo("echo")["function"], "shop_echo");
    let objects = live.call("s3", "list_objects_v2", json!({"Bucket": "shop-artifacts"}));
    let key = objects["Contents"][0]["Key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("mdo/") && key.ends_with(".zip"), "{key}");

    // Another stage needs the same code, which is there.
    proxy.forget();
    project.mdo("deploy --stage prod").through(&proxy).exits(0);
    assert_eq!(proxy.recording().count("UploadPart"), 0);
    assert_eq!(Live::of(&project, "prod").echo("echo")["function"], "shop_echo");

    // What no version is made of any more goes, and what somebody else has put there stays.
    let foreign = format!("mdo/{}.zip", "a".repeat(64));
    live.call("s3", "put_object", json!({"Bucket": "shop-artifacts", "Key": foreign}));
    project.write("functions/echo/more.txt", "other code");
    project.mdo("deploy").exits(0);
    let of_prod = project.mdo("prune --keep 0 --dry-run --json").json();
    let kinds: Vec<_> = items(&of_prod["changes"]).iter().map(|change| change["resource"].clone()).collect();
    assert_eq!(kinds, ["function_version"], "stage prod runs with it: {of_prod:#}");
    project.mdo("deploy --stage prod").exits(0);
    let mut watch = Watch::of(&project, "");
    watch.holds("deploy", "--deployer", &proxy.recording());
    proxy.forget();
    let pruned = project.mdo("prune --keep 0 --yes").through(&proxy).exits(0);
    watch.holds("prune", "--destroyer", &proxy.recording());
    pruned.says(&format!("- artifact   s3://shop-artifacts/{key}"));
    assert_eq!(proxy.recording().count("DeleteObject"), 1);
    let objects = live.call("s3", "list_objects_v2", json!({"Bucket": "shop-artifacts"}));
    let keys: Vec<_> = items(&objects["Contents"]).iter().map(|object| object["Key"].clone()).collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.contains(&json!(foreign)) && !keys.contains(&json!(key)), "{keys:?}");
    assert_eq!(live.echo("echo")["function"], "shop_echo");
}

#[test]
fn a_derivative_is_pushed_where_the_guide_has_it() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::without_functions(emulator.account());
    let zip = project.path("tiny.zip");
    let script = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z: z.writestr('python/tiny.py', 'SIZE = 1\\n')";
    let made = Command::new("python3").args(["-c", script]).arg(&zip).status().unwrap();
    assert!(made.success());
    let derivative = "[derivatives.tiny]\nzip = \"tiny.zip\"\n";
    project.write("project.toml", &format!("{MANIFEST}{derivative}"));
    project.mdo("derivative push tiny").exits(2).says("help: name one in project.toml: `[artifacts]`");
    project.mdo("derivative push tinny").exits(2).says("help: did you mean `tiny`?");

    let bucket = BUCKET.replace("shop-artifacts", "shop-shared");
    project.write("project.toml", &format!("{MANIFEST}{bucket}{derivative}"));
    // Buckets are every account's.
    let live = Live::of(&project, "dev");
    let place = json!({"LocationConstraint": "eu-west-1"});
    live.call("s3", "create_bucket", json!({"Bucket": "shop-shared", "CreateBucketConfiguration": place}));
    let pushed = project.mdo("derivative push tiny").exits(0);
    pushed.says("s3://shop-shared/mdo/lambda/python_3.13/tiny.zip\n");
    let objects = live.call("s3", "list_objects_v2", json!({"Bucket": "shop-shared"}));
    assert_eq!(objects["Contents"][0]["Key"], "mdo/lambda/python_3.13/tiny.zip");
    project.mdo("derivative pin tiny").succeeds().says("pinned tiny to sha256 ");
}
