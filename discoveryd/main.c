/* discoveryd: finds EKS clusters and publishes them on the bus. */
#include "discoveryd/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
