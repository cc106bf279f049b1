build-fp/replica/zab/quorum.o: replica/zab/quorum.c \
 replica/zab/zab_internal.h replica/lib/check.h replica/zab/zab.h \
 replica/zab/message.h
replica/zab/zab_internal.h:
replica/lib/check.h:
replica/zab/zab.h:
replica/zab/message.h:
