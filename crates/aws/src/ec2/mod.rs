//! The few calls to EC2 that hosting needs.

mod answers;

use aws_types::SdkConfig;

use crate::query::{Answer, Form, Query, Service};
use crate::watch::Watch;

pub(crate) use self::answers::{SecurityGroup, Subnet};

const EC2: Service = Service { id: "EC2", host: "ec2", signing: "ec2", version: "2016-11-15" };

/// EC2 in one region.
#[derive(Debug)]
pub(crate) struct Ec2(pub(crate) Query);

impl Ec2 {
    pub(crate) fn new(config: SdkConfig, region: String, watch: Watch) -> Self {
        Self(Query::new(EC2, config, region, watch))
    }

    /// Whether the region has a default VPC.
    pub(crate) async fn has_default_vpc(&self) -> Answer<bool> {
        let form = vec![
            ("Filter.1.Name".into(), "is-default".to_owned()),
            ("Filter.1.Value.1".into(), "true".to_owned()),
        ];
        self.0.send("DescribeVpcs", form, answers::has_vpc).await
    }

    /// The subnets with these ids; without any, those that the default VPC has in each zone.
    pub(crate) async fn subnets<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> Answer<Vec<Subnet>> {
        let mut form = numbered("SubnetId", ids);
        if form.is_empty() {
            form.push(("Filter.1.Name".into(), "default-for-az".to_owned()));
            form.push(("Filter.1.Value.1".into(), "true".to_owned()));
        }
        self.0.send("DescribeSubnets", form, answers::subnets).await
    }

    /// The security groups with these names, in whatever VPC.
    pub(crate) async fn security_groups<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Answer<Vec<SecurityGroup>> {
        let mut form = numbered("Filter.1.Value", names);
        form.push(("Filter.1.Name".into(), "group-name".to_owned()));
        self.0.send("DescribeSecurityGroups", form, answers::security_groups).await
    }

    /// Makes a security group with tags; answers its id.
    pub(crate) async fn create_security_group(
        &self,
        vpc: &str,
        name: &str,
        description: &str,
        tags: &[(String, String)],
    ) -> Answer<String> {
        let mut form: Form = vec![
            ("VpcId".into(), vpc.to_owned()),
            ("GroupName".into(), name.to_owned()),
            ("GroupDescription".into(), description.to_owned()),
            ("TagSpecification.1.ResourceType".into(), "security-group".to_owned()),
        ];
        form.extend(tag_form("TagSpecification.1.Tag", tags));
        self.0.send("CreateSecurityGroup", form, answers::group_id).await
    }

    /// Lets in what `doors` say.
    pub(crate) async fn authorize_ingress(&self, group: &str, doors: &[Door]) -> Answer<()> {
        self.0.send("AuthorizeSecurityGroupIngress", ingress(group, doors), |_| Ok(())).await
    }

    /// Lets in no longer what `doors` say.
    pub(crate) async fn revoke_ingress(&self, group: &str, doors: &[Door]) -> Answer<()> {
        self.0.send("RevokeSecurityGroupIngress", ingress(group, doors), |_| Ok(())).await
    }

    /// Deletes a security group.
    pub(crate) async fn delete_security_group(&self, group: &str) -> Answer<()> {
        let form = vec![("GroupId".into(), group.to_owned())];
        self.0.send("DeleteSecurityGroup", form, |_| Ok(())).await
    }

    /// Gives tags to a resource.
    pub(crate) async fn tag(&self, id: &str, tags: &[(String, String)]) -> Answer<()> {
        let mut form: Form = vec![("ResourceId.1".into(), id.to_owned())];
        form.extend(tag_form("Tag", tags));
        self.0.send("CreateTags", form, |_| Ok(())).await
    }

    /// Takes tags from a resource, by their names.
    pub(crate) async fn untag(&self, id: &str, names: &[String]) -> Answer<()> {
        let mut form: Form = vec![("ResourceId.1".into(), id.to_owned())];
        let each = names.iter().zip(1..);
        form.extend(each.map(|(name, number)| (format!("Tag.{number}.Key").into(), name.clone())));
        self.0.send("DeleteTags", form, |_| Ok(())).await
    }
}

/// What a security group lets in: TCP at one port, from addresses or from the members of another group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Door {
    /// First and last port; `None` stands for all.
    pub ports: Option<(u16, u16)>,
    /// `tcp`, or what EC2 calls it.
    pub protocol: String,
    pub from: Visitor,
}

/// Who comes in by a [`Door`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Visitor {
    /// Addresses, as a block of IPv4.
    Block(String),
    /// Addresses, as a block of IPv6.
    Block6(String),
    /// Members of the security group with this id.
    Group(String),
    /// Addresses of the prefix list with this id.
    List(String),
}

impl Door {
    /// TCP at one port.
    pub(crate) fn tcp(port: u16, from: Visitor) -> Self {
        Self { ports: Some((port, port)), protocol: "tcp".to_owned(), from }
    }
}

fn numbered<'a>(name: &str, values: impl IntoIterator<Item = &'a String>) -> Form {
    let values = values.into_iter().zip(1..);
    values.map(|(value, number)| (format!("{name}.{number}").into(), value.clone())).collect()
}

fn tag_form(name: &str, tags: &[(String, String)]) -> Form {
    let each = tags.iter().zip(1..).flat_map(|((key, value), number)| {
        [
            (format!("{name}.{number}.Key").into(), key.clone()),
            (format!("{name}.{number}.Value").into(), value.clone()),
        ]
    });
    each.collect()
}

fn ingress(group: &str, doors: &[Door]) -> Form {
    let mut form: Form = vec![("GroupId".into(), group.to_owned())];
    for (door, number) in doors.iter().zip(1..) {
        let mut put =
            |name: &str, value: String| form.push((format!("IpPermissions.{number}.{name}").into(), value));
        put("IpProtocol", door.protocol.clone());
        if let Some((first, last)) = door.ports {
            put("FromPort", first.to_string());
            put("ToPort", last.to_string());
        }
        match &door.from {
            Visitor::Block(block) => put("IpRanges.1.CidrIp", block.clone()),
            Visitor::Block6(block) => put("Ipv6Ranges.1.CidrIpv6", block.clone()),
            Visitor::Group(group) => put("Groups.1.GroupId", group.clone()),
            Visitor::List(list) => put("PrefixListIds.1.PrefixListId", list.clone()),
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_names_port_and_visitor() {
        let form = ingress("sg-1", &[Door::tcp(8080, Visitor::Group("sg-2".to_owned()))]);
        let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            form,
            [
                "GroupId=sg-1",
                "IpPermissions.1.IpProtocol=tcp",
                "IpPermissions.1.FromPort=8080",
                "IpPermissions.1.ToPort=8080",
                "IpPermissions.1.Groups.1.GroupId=sg-2",
            ]
        );
    }
}
