build-fp/replica/tree/prep.o: replica/tree/prep.c replica/tree/prep.h \
 replica/tree/tree.h replica/tree/txn.h replica/lib/wire.h \
 replica/lib/codec.h replica/lib/wire_member.h replica/lib/check.h \
 replica/lib/err.h replica/tree/prep_internal.h replica/tree/view.h
replica/tree/prep.h:
replica/tree/tree.h:
replica/tree/txn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/lib/check.h:
replica/lib/err.h:
replica/tree/prep_internal.h:
replica/tree/view.h:
