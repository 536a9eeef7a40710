//! What EC2 answers, in XML, as far as hosting needs it.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError};

use super::{Door, Visitor};
use crate::query::{data, local};

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub id: String,
    pub vpc: String,
    /// The availability zone, by its name.
    pub zone: String,
    /// The availability zone, by what it is called in every account.
    pub zone_id: String,
    /// Whether what is started in it gets a public address.
    pub is_public: bool,
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SecurityGroup {
    pub id: String,
    pub name: String,
    pub vpc: String,
    /// What it lets in.
    pub doors: Vec<Door>,
    pub tags: Vec<(String, String)>,
}

type Read<T> = Result<T, XmlDecodeError>;

pub(super) fn has_vpc(text: &str) -> Result<bool, BoxError> {
    Ok(!set(text, "vpcSet", |_| Ok(()))?.is_empty())
}

pub(super) fn subnets(text: &str) -> Result<Vec<Subnet>, BoxError> {
    set(text, "subnetSet", |mut item| {
        let mut subnet = Subnet::default();
        while let Some(mut tag) = item.next_tag() {
            match local(&tag).as_str() {
                "subnetId" => subnet.id = data(&mut tag)?,
                "vpcId" => subnet.vpc = data(&mut tag)?,
                "availabilityZone" => subnet.zone = data(&mut tag)?,
                "availabilityZoneId" => subnet.zone_id = data(&mut tag)?,
                "mapPublicIpOnLaunch" => subnet.is_public = data(&mut tag)? == "true",
                _ => {}
            }
        }
        Ok(subnet)
    })
}

pub(super) fn security_groups(text: &str) -> Result<Vec<SecurityGroup>, BoxError> {
    set(text, "securityGroupInfo", |mut item| {
        let mut group = SecurityGroup::default();
        while let Some(mut tag) = item.next_tag() {
            match local(&tag).as_str() {
                "groupId" => group.id = data(&mut tag)?,
                "groupName" => group.name = data(&mut tag)?,
                "vpcId" => group.vpc = data(&mut tag)?,
                "ipPermissions" => group.doors = items(tag, doors)?.into_iter().flatten().collect(),
                "tagSet" => group.tags = items(tag, key_and_value)?,
                _ => {}
            }
        }
        Ok(group)
    })
}

pub(super) fn group_id(text: &str) -> Result<String, BoxError> {
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    while let Some(mut tag) = root.next_tag() {
        if local(&tag) == "groupId" {
            return Ok(data(&mut tag)?);
        }
    }
    Err("EC2 names no security group".into())
}

/// The doors of one entry: a protocol with its ports, and everybody who comes in there.
fn doors(mut item: ScopedDecoder<'_, '_>) -> Read<Vec<Door>> {
    let (mut protocol, mut first, mut last, mut visitors) = (String::new(), None, None, Vec::new());
    while let Some(mut tag) = item.next_tag() {
        match local(&tag).as_str() {
            "ipProtocol" => protocol = data(&mut tag)?,
            "fromPort" => first = data(&mut tag)?.parse().ok(),
            "toPort" => last = data(&mut tag)?.parse().ok(),
            "ipRanges" => visitors.extend(items(tag, |item| one(item, "cidrIp", Visitor::Block))?),
            "ipv6Ranges" => visitors.extend(items(tag, |item| one(item, "cidrIpv6", Visitor::Block6))?),
            "groups" => visitors.extend(items(tag, |item| one(item, "groupId", Visitor::Group))?),
            "prefixListIds" => visitors.extend(items(tag, |item| one(item, "prefixListId", Visitor::List))?),
            _ => {}
        }
    }
    let ports = first.zip(last);
    Ok(visitors.into_iter().flatten().map(|from| Door { ports, protocol: protocol.clone(), from }).collect())
}

fn one(
    mut item: ScopedDecoder<'_, '_>,
    name: &str,
    visitor: impl Fn(String) -> Visitor,
) -> Read<Option<Visitor>> {
    let mut found = None;
    while let Some(mut tag) = item.next_tag() {
        if local(&tag) == name {
            found = Some(visitor(data(&mut tag)?));
        }
    }
    Ok(found)
}

fn key_and_value(mut item: ScopedDecoder<'_, '_>) -> Read<(String, String)> {
    let (mut key, mut value) = (String::new(), String::new());
    while let Some(mut tag) = item.next_tag() {
        match local(&tag).as_str() {
            "key" => key = data(&mut tag)?,
            "value" => value = data(&mut tag)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// The items of the set `name` of an answer.
fn set<T>(
    text: &str,
    name: &str,
    read: impl Fn(ScopedDecoder<'_, '_>) -> Read<T>,
) -> Result<Vec<T>, BoxError> {
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    let mut all = Vec::new();
    while let Some(tag) = root.next_tag() {
        if local(&tag) == name {
            all.extend(items(tag, &read)?);
        }
    }
    Ok(all)
}

fn items<T>(mut set: ScopedDecoder<'_, '_>, read: impl Fn(ScopedDecoder<'_, '_>) -> Read<T>) -> Read<Vec<T>> {
    let mut all = Vec::new();
    while let Some(item) = set.next_tag() {
        all.push(read(item)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_read() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>7a62c49f</requestId>
  <subnetSet>
    <item>
      <subnetId>subnet-1</subnetId><state>available</state><vpcId>vpc-1</vpcId>
      <availabilityZone>eu-west-1a</availabilityZone><availabilityZoneId>euw1-az2</availabilityZoneId>
      <mapPublicIpOnLaunch>true</mapPublicIpOnLaunch><tagSet/>
    </item>
    <item><subnetId>subnet-2</subnetId><vpcId>vpc-1</vpcId><mapPublicIpOnLaunch>false</mapPublicIpOnLaunch></item>
  </subnetSet>
</DescribeSubnetsResponse>"#;
        let found = subnets(text).expect("subnets");
        let first = Subnet {
            id: "subnet-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            zone: "eu-west-1a".to_owned(),
            zone_id: "euw1-az2".to_owned(),
            is_public: true,
        };
        assert_eq!((found.len(), &found[0], found[1].is_public), (2, &first, false));
    }

    #[test]
    fn a_security_group_is_read_with_its_doors() {
        let text = "<DescribeSecurityGroupsResponse><securityGroupInfo><item><ownerId>1</ownerId><groupId>sg-1</groupId>\
            <groupName>ml_api-lb</groupName><vpcId>vpc-1</vpcId><ipPermissions>\
            <item><ipProtocol>tcp</ipProtocol><fromPort>80</fromPort><toPort>80</toPort><groups/>\
            <ipRanges><item><cidrIp>0.0.0.0/0</cidrIp><description>x</description></item></ipRanges>\
            <ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges></item>\
            <item><ipProtocol>-1</ipProtocol><groups><item><userId>1</userId><groupId>sg-2</groupId></item></groups></item>\
            </ipPermissions><ipPermissionsEgress><item><ipProtocol>-1</ipProtocol></item></ipPermissionsEgress>\
            <tagSet><item><key>mdo:project</key><value>ml &amp; api</value></item></tagSet></item></securityGroupInfo>\
            </DescribeSecurityGroupsResponse>";
        let found = security_groups(text).expect("groups");
        let all = Door { ports: None, protocol: "-1".to_owned(), from: Visitor::Group("sg-2".to_owned()) };
        let wanted = SecurityGroup {
            id: "sg-1".to_owned(),
            name: "ml_api-lb".to_owned(),
            vpc: "vpc-1".to_owned(),
            doors: vec![
                Door::tcp(80, Visitor::Block("0.0.0.0/0".to_owned())),
                Door::tcp(80, Visitor::Block6("::/0".to_owned())),
                all,
            ],
            tags: vec![("mdo:project".to_owned(), "ml & api".to_owned())],
        };
        assert_eq!(found, [wanted]);
    }

    #[test]
    fn an_answer_without_what_it_should_have_is_no_success() {
        assert!(group_id("<CreateSecurityGroupResponse/>").is_err());
        assert_eq!(group_id("<R><groupId>sg-9</groupId></R>").expect("an id"), "sg-9");
        assert!(!has_vpc("<R><vpcSet/></R>").expect("an answer"));
    }
}
