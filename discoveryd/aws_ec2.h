/* EC2 as far as discovery reads it: DescribeRegions, the second way to learn which regions an
 * account may use. A pure half, and the call. */
#ifndef EKSGATE_AWS_EC2_H
#define EKSGATE_AWS_EC2_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"

#define EC2_DESCRIBE_REGIONS "ec2:DescribeRegions"

struct ec2_regions {
	char **names; /* sorted */
	size_t count;
};
/* False: *error says what is wrong with the answer (free()). */
bool ec2_parse_regions(
    const char *body, size_t len, struct ec2_regions *regions, char **error) MUST_USE;
void ec2_regions_free(struct ec2_regions *regions);

struct ec2_call;
/* `regions`, those that the account may use, is NULL when reply->outcome is not AWS_OK. Borrowed.
 */
typedef void ec2_regions_fn(
    void *arg, const struct aws_reply *reply, const struct ec2_regions *regions);
/* Asks the endpoint of `region`, which must be enabled itself. */
struct ec2_call *ec2_describe_regions(struct aws_context *aws, struct aws_provider *provider,
    const char *region, ec2_regions_fn *fn, void *arg);
void ec2_call_cancel(struct ec2_call **call);

#endif
