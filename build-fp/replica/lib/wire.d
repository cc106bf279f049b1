build-fp/replica/lib/wire.o: replica/lib/wire.c replica/lib/wire.h \
 replica/lib/codec.h replica/lib/wire_member.h replica/lib/check.h \
 replica/lib/err.h
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/lib/check.h:
replica/lib/err.h:
