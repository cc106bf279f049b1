/* The seed's numbers: xoshiro256**, seeded by splitmix64 (Blackman, Vigna; public domain). */
#include "tests/sim/sim.h"

static uint64_t
rotate(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

void
random_seed(struct world *world, uint64_t seed)
{
	uint64_t z;
	int i;

	for (i = 0; i < 4; i++) {
		z = (seed += UINT64_C(0x9e3779b97f4a7c15));
		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		world->random[i] = z ^ (z >> 31);
	}
}

uint64_t
random_next(struct world *world)
{
	uint64_t *s = world->random, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t
random_below(struct world *world, uint64_t n)
{
	return n == 0 ? 0 : random_next(world) % n;
}

bool
random_one_in(struct world *world, uint64_t n)
{
	return random_below(world, n) == 0;
}
