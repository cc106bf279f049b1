build-fp/replica/lib/conn.o: replica/lib/conn.c replica/lib/conn.h \
 replica/lib/wire.h replica/lib/codec.h replica/lib/wire_member.h \
 replica/lib/check.h replica/lib/err.h
replica/lib/conn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/lib/check.h:
replica/lib/err.h:
