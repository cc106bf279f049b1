build-fp/replica/store/highwater.o: replica/store/highwater.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/log.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/log.h:
